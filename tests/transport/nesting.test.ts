// JSON that is nested deeper than recursive code can go: it is refused for that operation only, and leaves nothing behind.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { maxNesting, nestsTooDeeply } from '../../src/transport/limits.ts';
import { Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';

const nested = (levels: number, [open, close] = ['[', ']']) => open.repeat(levels) + close.repeat(levels);
const deepLists = nested(30_000);
const deepObjects = `${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}`;
const watch = 'subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { body } }';
const me = '{ viewer { user { id } } }';

describe('nested JSON', () => {
  let server: Server;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    server = await startServer({ storage: 'PostgreSQL' });
    ada = await Guest.signIn(server.url);
    roomId = await ada.createRoom();
  });
  after(() => server[Symbol.asyncDispose]());

  it(`of ${maxNesting} levels is taken, and deeper is refused`, () => {
    assert.equal(nestsTooDeeply(undefined), false);
    for (const brackets of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as [string, string][]) {
      const parseNested = (levels: number) => JSON.parse(`${brackets[0].repeat(levels)}1${brackets[1].repeat(levels)}`) as unknown;
      assert.equal(nestsTooDeeply(parseNested(maxNesting)), false);
      assert.equal(nestsTooDeeply(parseNested(maxNesting + 1)), true);
    }
    assert.equal(nestsTooDeeply(Array.from({ length: 100_000 }, () => [1])), false);
  });

  const payloads: [string, (deep: string) => string][] = [
    ['a variable of a query', (deep) => `{"query":"${me}","variables":{"x":${deep}}}`],
    [
      'a declared variable',
      (deep) => `{"query":"query ($x: [ID!]) { viewer { id @include(if: true) } nodes(ids: $x) { id } }","variables":{"x":${deep}}}`,
    ],
    ['a variable of a subscription', (deep) => `{"query":"${watch}","variables":{"roomId":${deep}}}`],
    [
      'a variable that a subscription does not use',
      (deep) => `{"query":"${watch}","variables":${JSON.stringify({ roomId }).slice(0, -1)},"x":${deep}}}`,
    ],
    ['extensions', (deep) => `{"query":"${watch}","variables":${JSON.stringify({ roomId })},"extensions":{"x":${deep}}}`],
    ['an operation name', (deep) => `{"query":"${me}","operationName":${deep}}`],
    ['a query', (deep) => `{"query":${deep}}`],
    ['an unknown parameter', (deep) => `{"query":"${me}","more":${deep}}`],
    ['variables themselves', (deep) => `{"query":"${me}","variables":${deep}}`],
  ];

  for (const [where, payload] of payloads) {
    for (const deep of [deepLists, deepObjects]) {
      it(`of a POST is refused with BAD_USER_INPUT as ${where}, in ${deep === deepLists ? 'lists' : 'objects'}`, async () => {
        for (const accept of ['application/json', 'text/event-stream']) {
          const response = await fetch(server.url, {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${ada.token}`, accept },
            body: payload(deep),
          });
          const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
          assert.deepEqual([response.status, errors[0]?.extensions.code], [400, 'BAD_USER_INPUT']);
        }
        assert.equal(server.app.liveRooms.size, 0);
      });
    }
  }

  it('of a GET is refused with BAD_USER_INPUT', async () => {
    for (const name of ['variables', 'extensions']) {
      const parameters = new URLSearchParams({ query: me, [name]: `{"x":${nested(2000)}}` });
      const response = await fetch(`${server.url}?${parameters}`, { headers: { authorization: `Bearer ${ada.token}` } });
      const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
      assert.deepEqual([response.status, errors[0]?.extensions.code], [400, 'BAD_USER_INPUT']);
    }
  });

  it('that is cut short is refused with BAD_USER_INPUT in a GET, too', async () => {
    for (const name of ['variables', 'extensions']) {
      for (const text of ['junk', '[', '{"x":', '1', '"x"', '[]']) {
        const response = await fetch(`${server.url}?${new URLSearchParams({ query: me, [name]: text })}`);
        const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
        assert.deepEqual([text, response.status, errors[0]?.extensions.code], [text, 400, 'BAD_USER_INPUT']);
      }
    }
  });

  const ofOperation = payloads.filter(([where]) => where.includes('variable ') || where === 'extensions');
  for (const [where, payload] of ofOperation) {
    for (const deep of [deepLists, deepObjects]) {
      it(`of a subscribe is refused for that operation only as ${where}, in ${deep === deepLists ? 'lists' : 'objects'}`, async () => {
        using socket = await RawSocket.signedIn(server.url, ada.token);
        socket.send(`{"id":"deep","type":"subscribe","payload":${payload(deep)}}`);
        const frame = await socket.next();
        assert.deepEqual([frame.type, frame.id, frame.payload[0].extensions.code], ['error', 'deep', 'BAD_USER_INPUT']);
        assert.equal((await socket.ask('deep', me)).payload.data.viewer.user.id, ada.userId);
        assert.equal(server.app.liveRooms.size, 0);
      });
    }
  }

  for (const type of ['connection_init', 'ping', 'pong']) {
    it(`of a ${type} closes the socket with 4400`, async () => {
      for (const deep of [deepLists, deepObjects]) {
        using socket = await RawSocket.open(server.url);
        socket.send(`{"type":"${type}","payload":{"authorization":${deep}}}`);
        assert.equal((await socket.closed).code, 4400);
      }
    });
  }

  it('that is no message closes the socket with 4400', async () => {
    for (const deep of [
      deepLists,
      deepObjects,
      `{"id":${deepLists},"type":"subscribe","payload":{"query":"{a}"}}`,
      `{"type":${deepLists}}`,
    ]) {
      using socket = await RawSocket.signedIn(server.url, ada.token);
      socket.send(deep);
      assert.equal((await socket.closed).code, 4400);
    }
  });
});
