// How an event stream ends at a client that does not read.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { it } from 'node:test';
import type { ResultStream } from '../../src/schema/subscription.ts';
import type { Use } from '../../src/transport/connection.ts';
import { Connections } from '../../src/transport/connections.ts';
import { writeEventStream } from '../../src/transport/sse.ts';
import { until } from '../support/process.ts';

it('an event stream whose token has expired ends once, and ends nothing else, however long its client does not read', async () => {
  using connections = new Connections({ pingMs: 20 });
  const body = 'x'.repeat(16 * 1024 * 1024);
  // One large event, and then nothing until the stream is given up.
  const given = Promise.withResolvers<void>();
  async function* results(): ResultStream {
    yield { data: { body } };
    await given.promise;
  }
  let attendedAfterEnd = 0;
  const server = createServer((request, response) => {
    const connection = connections.of(request.socket);
    const stream = results();
    const giveUp = stream.return.bind(stream);
    stream.return = () => {
      given.resolve();
      return giveUp();
    };
    void writeEventStream(response, stream, connection, { expiresAt: new Date(Date.now() + 100), ending: false });
    const { attend } = connection.use as Use;
    (connection.use as Use).attend = (nowMs) => {
      if (response.writableEnded) attendedAfterEnd += 1;
      attend?.(nowMs);
    };
    response.once('close', () => given.resolve());
  });
  server.on('connection', connections.add);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await until('something waits for the client', () => connections.counts.waitingBytes > 0);
  await until('it is looked after though it is ended', () => attendedAfterEnd > 2);
  let text = '';
  client.setEncoding('latin1').on('data', (chunk) => (text += chunk));
  await once(client.resume(), 'end');
  assert.equal(text.split('UNAUTHENTICATED').length, 2);
  assert.ok(text.length > body.length);
  server.close();
});
