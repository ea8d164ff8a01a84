// A live room whose head is read twice at the same time, and one whose log cannot be read.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LiveRoom } from '../../src/feed/live-room.ts';
import { expiredCursor, newTag, type Position } from '../../src/storage/cursor.ts';
import { newId } from '../../src/storage/id.ts';
import type { LogEntry } from '../../src/storage/room-log.ts';
import { until } from '../support/process.ts';

const roomId = newId('room');
const entryAfter = ({ seq, tag: previousTag }: Position): LogEntry => ({
  ...{ roomId, seq: seq + 1, tag: newTag(), previousTag, at: new Date(), type: 'RoomUpdated' },
});

const kept: Position = { seq: 4, tag: newTag() };
const rolledBack: Position = { seq: 6, tag: newTag() };
const [fifth, sixth] = [entryAfter(kept)].flatMap((entry) => [entry, entryAfter(entry)]) as [LogEntry, LogEntry];

/** A live room at a head that was rolled back. The log holds what was kept, and two entries after that. */
function openRolledBack(readHead: () => Promise<Position | undefined>): LiveRoom {
  const readPage = async ({ seq, tag }: Position) => {
    if (tag !== kept.tag) throw expiredCursor();
    return [fifth, sixth].filter((entry) => entry.seq > seq);
  };
  const room = new LiveRoom(roomId, { readPage, readHead }, { gapsFound: 0, missedFound: 0, rollbacksFound: 0 });
  room.applyHead(room.known, rolledBack);
  return room;
}

it('comes to the entry that it received, if an older head is applied while it reads the new one after a rollback', async () => {
  const head = Promise.withResolvers<Position | undefined>();
  const room = openRolledBack(() => head.promise);
  const then = room.known;
  room.receive(sixth);
  room.applyHead(then, kept);
  assert.deepEqual(room.head, kept);
  head.resolve(sixth);
  await until('it has come to what it received', () => room.head?.seq === sixth.seq);
});

it('does not go back to a head that is applied twice, if it applied an entry in between', () => {
  const room = openRolledBack(async () => kept);
  const then = room.known;
  room.applyHead(then, kept);
  room.receive(fifth);
  room.applyHead(then, kept);
  assert.deepEqual(room.head, { seq: fifth.seq, tag: fifth.tag });
});
