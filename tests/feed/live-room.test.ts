// A live room: the order in which entries, pages and stored heads reach it, and its log when that was rolled back.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { realClock } from '../../src/clock.ts';
import { LiveRoom } from '../../src/feed/live-room.ts';
import type { EntriesAfter } from '../../src/feed/log-reader.ts';
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

/** A live room at a head that was rolled back. The log holds `kept` and two entries after it. */
function openRolledBack(readHead: () => Promise<Position | undefined>): LiveRoom {
  const readPage = async ({ seq, tag }: Position) => {
    if (tag !== kept.tag) throw expiredCursor();
    return { entries: [fifth, sixth].filter((entry) => entry.seq > seq), last: true };
  };
  const room = new LiveRoom(roomId, { readPage, readHead }, { gapsFound: 0, missedFound: 0, rollbacksFound: 0 }, realClock);
  room.applyHead(room.known, rolledBack);
  return room;
}

it('reaches the entry that it received, if an older head is applied while it reads the new head after a rollback', async () => {
  const head = Promise.withResolvers<Position | undefined>();
  const room = openRolledBack(() => head.promise);
  const then = room.known;
  room.receive(sixth);
  room.applyHead(then, kept);
  assert.deepEqual(room.head, kept);
  head.resolve(sixth);
  await until('the head is the received entry', () => room.head?.seq === sixth.seq);
});

it('does not move back to a head that is applied twice, if it applied an entry in between', () => {
  const room = openRolledBack(async () => kept);
  const then = room.known;
  room.applyHead(then, kept);
  room.receive(fifth);
  room.applyHead(then, kept);
  assert.deepEqual(room.head, { seq: fifth.seq, tag: fifth.tag });
});

/** A live room at the beginning of a log, which it reads in these pages. */
function openBehind(pages: readonly EntriesAfter[]) {
  const left = [...pages];
  const findings = { gapsFound: 0, missedFound: 0, rollbacksFound: 0 };
  const readPage = async () => left.shift() as EntriesAfter;
  const room = new LiveRoom(roomId, { readPage, readHead: async () => undefined }, findings, realClock);
  room.applyHead(room.known, kept);
  return { room, findings, left };
}

it('reads on after a page that ends before the log, even if the page is short', async () => {
  const { room } = openBehind([
    { entries: [fifth], last: false },
    { entries: [sixth], last: true },
  ]);
  room.applyHead(room.known, sixth);
  await until('the head is the last entry', () => room.head?.seq === sixth.seq);
});

it('counts no gap for an entry that arrives when the head is after it', async () => {
  const { room, findings } = openBehind([{ entries: [], last: true }]);
  room.receive({ ...fifth, seq: 3, tag: newTag() });
  await turn();
  assert.deepEqual([room.head?.seq, findings.gapsFound], [kept.seq, 0]);
});

it('shares no result of before a rollback, because it may show a change that is gone', async () => {
  const room = openRolledBack(async () => kept);
  const executed: string[] = [];
  const share = (which: string) =>
    room.fanOut.share(fifth, 'operation', async () => {
      executed.push(which);
      return which;
    });
  assert.equal(await share('before'), 'before');
  assert.equal(await share('again'), 'before');
  room.applyHead(room.known, kept);
  assert.equal(await share('after'), 'after');
});
