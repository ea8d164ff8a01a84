// What a live room knows, where two reads of its head overlap.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LiveRoom } from '../../src/feed/live-room.ts';
import { newTag, type Position } from '../../src/storage/cursor.ts';
import { newId } from '../../src/storage/id.ts';
import type { LogEntry } from '../../src/storage/room-log.ts';
import { until } from '../support/process.ts';

const roomId = newId('room');
const entryBehind = ({ seq, tag: previousTag }: Position): LogEntry => ({
  ...{ roomId, seq: seq + 1, tag: newTag(), previousTag, at: new Date(), type: 'RoomUpdated' },
});

const kept: Position = { seq: 4, tag: newTag() };
const undone: Position = { seq: 6, tag: newTag() };
const [fifth, sixth] = [entryBehind(kept)].flatMap((entry) => [entry, entryBehind(entry)]) as [LogEntry, LogEntry];

/** A live room at a head that the log does not hold any more. The log is what was kept, and two entries behind that. */
function openUndone(readHead: () => Promise<Position | undefined>): LiveRoom {
  const readPage = async ({ seq, tag }: Position) => {
    if (tag !== kept.tag) throw new Error('The log does not hold that position.');
    return [fifth, sixth].filter((entry) => entry.seq > seq);
  };
  const room = new LiveRoom(roomId, { readPage, readHead }, { gapsFound: 0, missedFound: 0, undoneFound: 0 });
  room.learn(room.known, undone);
  return room;
}

it('comes to what it heard of, where the log was undone and an older head is learned of while it looks for the new one', async () => {
  const head = Promise.withResolvers<Position | undefined>();
  const room = openUndone(() => head.promise);
  const then = room.known;
  room.hear(sixth);
  room.learn(then, kept);
  assert.deepEqual(room.head, kept);
  head.resolve(sixth);
  await until('it has come to what it heard', () => room.head?.seq === sixth.seq);
});

it('does not go back to a head that two have read, where it has taken an entry between the first and the second', () => {
  const room = openUndone(async () => kept);
  const then = room.known;
  room.learn(then, kept);
  room.hear(fifth);
  room.learn(then, kept);
  assert.deepEqual(room.head, { seq: fifth.seq, tag: fifth.tag });
});
