// How an event stream ends.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { it } from 'node:test';
import { GraphQLError } from 'graphql';
import { NodeUnableError } from '../../src/errors.ts';
import type { ResultSource } from '../../src/schema/subscription.ts';
import { expiredCursor } from '../../src/storage/cursor.ts';
import type { Use } from '../../src/transport/connection.ts';
import { Connections } from '../../src/transport/connections.ts';
import { writeEventStream } from '../../src/transport/event-stream.ts';
import { until } from '../support/process.ts';
import { silentLog } from '../support/server.ts';
import { viewerOf } from '../support/viewer.ts';

/** One result, and then nothing until it is stopped. */
function sourceOf(body: string): ResultSource {
  const stopped = Promise.withResolvers<void>();
  return {
    cursor: 'cursor',
    async run(sink) {
      while (!sink.ready) await sink.drained();
      sink.write({ data: { body } });
      await stopped.promise;
    },
    stop: () => stopped.resolve(),
  };
}

it('an event stream whose token has expired ends once, however long its client does not read', async () => {
  using connections = new Connections(silentLog, { pingMs: 20 });
  const body = 'x'.repeat(16 * 1024 * 1024);
  let ticksAfterEnd = 0;
  const server = createServer((request, response) => {
    const connection = connections.of(request.socket);
    void writeEventStream(response, sourceOf(body), connection, viewerOf('user', new Date(Date.now() - 4900)));
    const use = connection.use as Use;
    const revoke = use.revoke?.bind(use);
    use.revoke = (reason) => {
      if (response.writableEnded) ticksAfterEnd += 1;
      revoke?.(reason);
    };
  });
  server.on('connection', connections.add);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await until('bytes wait for the client', () => connections.counts.waitingBytes > 0);
  await until('it is revoked again though it has ended', () => ticksAfterEnd > 2);
  let text = '';
  client.setEncoding('latin1').on('data', (chunk) => (text += chunk));
  await once(client.resume(), 'end');
  assert.equal(text.split('UNAUTHENTICATED').length, 2);
  assert.ok(text.length > body.length);
  server.close();
});

/** Everything that a client receives of an event stream whose source fails with this error. */
async function textOf(error: Error): Promise<string> {
  using connections = new Connections(silentLog);
  const server = createServer((request, response) => {
    const source: ResultSource = { cursor: 'cursor', run: () => Promise.reject(error), stop: () => {} };
    void writeEventStream(response, source, connections.of(request.socket), undefined);
  });
  server.on('connection', connections.add);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const text = await response.text();
  server.close();
  return text;
}

it('an event stream that its node cannot continue ends without `complete`, so that its client reconnects', async () => {
  assert.equal(await textOf(new NodeUnableError('This node fails repeatedly.')), 'id: cursor\n\n');
  assert.equal(await textOf(new TypeError('a bug')), 'id: cursor\n\n');
});

it('an event stream that no node can continue ends with its error and `complete`', async () => {
  const error = new GraphQLError('It has expired.', { originalError: expiredCursor(), extensions: { code: 'CURSOR_EXPIRED' } });
  assert.match(await textOf(error), /^id: cursor\n\nevent: next\ndata: .*CURSOR_EXPIRED.*\n\nevent: complete\nid: complete\n/);
});
