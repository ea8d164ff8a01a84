// Requests that come in many parts, as Node receives them: before a listener has run.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { countedRequests } from '../../src/transport/counted-request.ts';
import { maxMessageParts, maxPipelined } from '../../src/transport/limits.ts';
import { ask, Guest, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';

const chunkedHead = 'POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
const byte = '1\r\nx\r\n';

/** Resolves when the client's connection is closed, by a reset too. */
const closed = (client: Socket) => new Promise((resolve) => client.once('close', resolve));

/** A server that reads no body, and what it received. */
async function openServer() {
  const requests: IncomingMessage[] = [];
  const cutOff: Socket[] = [];
  const onFlood = (stream: Socket) => {
    cutOff.push(stream);
    stream.destroy();
  };
  const server = createServer({ IncomingMessage: countedRequests(onFlood) }, (request) => {
    requests.push(request);
    request.on('error', () => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const send = (text: string) => {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
    client.write(text);
    return client.resume();
  };
  return { requests, cutOff, send, [Symbol.dispose]: () => void server.close() };
}

describe('a request whose body comes in chunks of a byte', () => {
  it('keeps 1,000 of them at most, although nobody reads it, and is cut off once', async () => {
    using server = await openServer();
    await closed(server.send(chunkedHead + byte.repeat(20_000)));
    const [request] = server.requests;
    assert.ok(request && request.readableLength <= maxMessageParts, `${request?.readableLength} parts`);
    assert.equal(server.cutOff.length, 1);
  });

  it('is cut off if it shares a packet with others that have few parts each', async () => {
    using server = await openServer();
    const request = `${chunkedHead}${byte.repeat(maxMessageParts / 2)}0\r\n\r\n`;
    await closed(server.send(request.repeat(5)));
    assert.equal(server.cutOff.length, 1);
  });
});

describe('requests in one packet', () => {
  it('are as many as may wait on a connection, and one that is answered', async () => {
    using server = await openServer();
    const get = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const client = server.send(get.repeat(maxPipelined + 1));
    await closed(server.send(get.repeat(maxPipelined + 2)));
    assert.equal(server.cutOff.length, 1);
    client.destroy();
  });
});

describe('a client that is cut off', () => {
  it('loses its connections that could flood the node next, and keeps those that it uses', async () => {
    await using server = await startServer();
    const ada = await Guest.signIn(server.url);
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const open = (text = '') => {
      const client = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {});
      client.write(text);
      return client;
    };
    const used = open('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(used, 'data');
    const others = [open(), open(`${chunkedHead}${byte}`), open('GET /hea')].map(closed);
    await ask(server.url, undefined, '{ __typename }');
    open(chunkedHead + byte.repeat(5000));
    await Promise.all(others);
    used.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.match(String((await once(used, 'data'))[0]), /^HTTP\/1\.1 200 /);
    assert.equal((await socket.ask('1', '{ __typename }')).type, 'next');
    used.destroy();
  });
});
