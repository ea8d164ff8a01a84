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

it('comes to what it heard of, where the log was undone and an older head is learned of while it looks for the new one', async () => {
  const kept: Position = { seq: 4, tag: newTag() };
  const undone: Position = { seq: 6, tag: newTag() };
  const [fifth, sixth] = [entryBehind(kept)].flatMap((entry) => [entry, entryBehind(entry)]) as [LogEntry, LogEntry];
  const head = Promise.withResolvers<Position | undefined>();
  const findings = { gapsFound: 0, missedFound: 0, undoneFound: 0 };
  const log = {
    readPage: async ({ seq, tag }: Position) => {
      if (tag !== kept.tag) throw new Error('The log does not hold that position.');
      return [fifth, sixth].filter((entry) => entry.seq > seq);
    },
    readHead: () => head.promise,
  };
  const room = new LiveRoom(roomId, log, findings);
  room.learn(undefined, undone);
  room.hear(sixth);
  room.learn(undone, kept);
  assert.deepEqual(room.head, kept);
  head.resolve(sixth);
  await until('it has come to what it heard', () => room.head?.seq === sixth.seq);
});
