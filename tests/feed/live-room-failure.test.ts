// A live room whose log cannot be read: it takes no failure for a rollback, and asks for nothing without end.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { realClock } from '../../src/clock.ts';
import { NodeUnableError, unavailable } from '../../src/errors.ts';
import { LiveRoom, type RoomLog } from '../../src/feed/live-room.ts';
import { expiredCursor, newTag, type Position } from '../../src/storage/cursor.ts';
import { newId } from '../../src/storage/id.ts';
import type { LogEntry } from '../../src/storage/room-log.ts';

const roomId = newId('room');
const head: Position = { seq: 7, tag: newTag() };
const ahead: LogEntry = { roomId, seq: 9, tag: newTag(), previousTag: newTag(), at: new Date(), type: 'RoomUpdated' };

function openAt(head: Position, log: Partial<RoomLog>) {
  const findings = { gapsFound: 0, missedFound: 0, rollbacksFound: 0 };
  let reads = 0;
  const counted: RoomLog = {
    readPage: (after) => {
      reads += 1;
      return (log.readPage ?? (async () => ({ entries: [], last: true })))(after);
    },
    readHead: log.readHead ?? (async () => head),
  };
  const room = new LiveRoom(roomId, counted, findings, realClock);
  room.applyHead(room.known, head);
  return { room, findings, reads: () => reads };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await turn();
}

for (const [what, error] of [
  ['a failure that passes', unavailable('The database does not answer.')],
  ['an error of the code', new TypeError('undefined is not a function')],
  ['an entry that this version does not know', new NodeUnableError('A newer version wrote it.')],
] as const) {
  it(`keeps its head and fails, if a read of the log ends with ${what}`, async () => {
    const { room, findings, reads } = openAt(head, { readPage: () => Promise.reject(error) });
    room.receive(ahead);
    await turns(50);
    assert.deepEqual(room.failure, { error });
    assert.deepEqual(room.head, head);
    assert.equal(findings.rollbacksFound, 0);
    room.receive(ahead);
    room.applyHead(room.known, { seq: 20, tag: newTag() });
    await turns(50);
    assert.equal(reads(), 1);
  });
}

it('keeps its head and fails, if the stored head cannot be read after the log did not hold its own', async () => {
  const error = unavailable('The database does not answer.');
  const { room, findings } = openAt(head, { readPage: () => Promise.reject(expiredCursor()), readHead: () => Promise.reject(error) });
  room.receive(ahead);
  await turns(50);
  assert.deepEqual(room.failure, { error });
  assert.equal(findings.rollbacksFound, 0);
});

it('reads a log that does not hold the stored head once per announcement, and not without end', async () => {
  const { room, reads } = openAt(head, { readPage: () => Promise.reject(expiredCursor()) });
  room.receive(ahead);
  await turns(200);
  assert.equal(reads(), 1);
  assert.equal(room.failure, undefined);
  room.receive({ ...ahead, tag: newTag() });
  await turns(200);
  assert.equal(reads(), 2);
});

it('wakes its feeds when it fails', async () => {
  const { room } = openAt(head, { readPage: () => Promise.reject(unavailable('away')) });
  let woken = 0;
  room.onChange(() => (woken += 1));
  room.receive(ahead);
  await turns(50);
  assert.equal(woken, 1);
});
