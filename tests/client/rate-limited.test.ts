// The kit above the rate of a socket: it waits as it is told, and every subscription becomes live on the same socket.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { errorCode, retryAfterMs } from '../../src/client/error-code.ts';
import { resumable } from '../../src/client/resumable.ts';
import { maxOperations } from '../../src/transport/limits.ts';
import { until } from '../support/process.ts';
import { Guest, startServer } from '../support/server.ts';
import { range } from '../support/storage.ts';

const query = `subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) { __typename cursor ... on MessageAdded { message { body } } }
}`;

it('subscriptions that are refused for their rate wait for retryAfterMs, and all become live', async () => {
  await using server = await startServer({ bounds: { operationsPerSecond: 20, operationBurst: 10 } });
  const ada = await Guest.signIn(server.url);
  const roomId = await ada.createRoom();
  let connections = 0;
  const client = ada.connect({ on: { connected: () => (connections += 1) } });
  const breaks: unknown[] = [];
  const kit = resumable(client, { onBreak: (error) => breaks.push(error), backoff: { firstMs: 50, maxMs: 500 } });
  const count = 40;
  const live = new Set<number>();
  const received: string[] = [];
  const failures: unknown[] = [];
  for (const id of range(1, count)) {
    kit.subscribe(
      { query, variables: { roomId } },
      {
        next: ({ data }: { data: { roomEvents: { message?: { body: string } } } }) => {
          if (data.roomEvents.message) received.push(data.roomEvents.message.body);
        },
        error: (error) => failures.push(error),
        complete: () => failures.push('complete'),
        status: (status) => void (status === 'live' && live.add(id)),
      },
    );
  }
  await until('all are live', () => live.size === count);
  assert.ok(count <= maxOperations && breaks.length >= count - 10);
  for (const error of breaks) {
    assert.equal(errorCode(error), 'RATE_LIMITED');
    assert.ok((retryAfterMs(error) ?? 0) > 0);
  }
  await ada.send(roomId, 'Hello');
  await until('all receive', () => received.length === count);
  assert.deepEqual([failures, connections], [[], 1]);
  await client.dispose();
});
