// An answer of at most 8 MiB: a larger one is refused, whatever the operation, and is not built.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { GraphQLError } from 'graphql';
import { isTooLarge, maxAnswerBytes } from '../../src/schema/answer-size.ts';
import { EventStream } from '../support/event-stream.ts';
import { until } from '../support/process.ts';
import { request } from '../support/request.ts';
import { ask, type Guest, type Server, startRoom } from '../support/server.ts';
import { type FrameError, RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';

const bytesOf = (result: object) => Buffer.byteLength(JSON.stringify(result));

describe('the size of a result', () => {
  const texts = {
    'latin letters': 'x',
    umlauts: 'ü',
    'Chinese characters': '界',
    emoji: '💥',
    'control characters': '\u0001',
    quotes: '"',
  };
  for (const [what, character] of Object.entries(texts)) {
    it(`is measured as its JSON, of ${what}`, () => {
      const body = character.repeat(4000);
      const nodesOf = (count: number) => ({ data: { nodes: range(1, count).map((number) => ({ number, body, none: null })) } });
      const count = Math.floor((maxAnswerBytes - 20) / (bytesOf(nodesOf(2000)) / 2000));
      assert.equal(isTooLarge(nodesOf(count - 2)), false);
      assert.equal(isTooLarge(nodesOf(count + 2)), true);
    });
  }

  it('includes the names of the fields', () => {
    const name = 'x'.repeat(90_000);
    assert.equal(isTooLarge({ data: { nodes: range(1, 90).map(() => ({ [name]: 1 })) } }), false);
    assert.equal(isTooLarge({ data: { nodes: range(1, 100).map(() => ({ [name]: 1 })) } }), true);
  });

  it('includes the errors', () => {
    const errors = (count: number) => range(1, count).map(() => new GraphQLError('x'.repeat(90_000), { path: ['a', 1] }));
    assert.equal(isTooLarge({ data: null, errors: errors(90) }), false);
    assert.equal(isTooLarge({ data: null, errors: errors(100) }), true);
  });
});

describe('an answer', () => {
  let server: Server;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    ({ server, ada, roomId } = await startRoom());
    await Promise.all(range(1, 100).map(() => ada.send(roomId, '界'.repeat(4000))));
  });
  after(() => server[Symbol.asyncDispose]());

  /** About `mib` MiB of messages. */
  const messages = (mib: number) =>
    `messages(last: 100) { nodes { ${range(1, mib)
      .map((i) => `a${i}: body`)
      .join(' ')} } }`;
  const queryOf = (mib: number) => `query ($roomId: ID!) { room(id: $roomId) { ${messages(mib)} } }`;
  const mutationOf = (mib: number, body: string) =>
    `mutation ($roomId: ID!) { sendMessage(input: { roomId: $roomId, body: "${body}" }) { message { room { ${messages(mib)} } } } }`;
  const watchOf = (mib: number) =>
    `subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { body room { ${messages(mib)} } } }`;
  const findCursor = async () =>
    (
      await ada.must<{ room: { messages: { syncCursor: string } } }, object>(
        'query ($roomId: ID!) { room(id: $roomId) { messages(last: 1) { syncCursor } } }',
        { roomId },
      )
    ).room.messages.syncCursor;
  const assertTooLarge = (error: { message: string; extensions?: unknown } | undefined) => {
    assert.match(error?.message ?? '', /^The answer would have more than 8 MiB\./);
    assert.equal((error as FrameError).extensions.code, 'BAD_USER_INPUT');
  };

  it('of a query of less than 8 MiB is given, and a larger one is refused, over HTTP', async () => {
    assert.equal((await ada.ask(queryOf(6), { roomId })).errors, undefined);
    const { data, errors } = await ada.ask(queryOf(9), { roomId });
    assert.equal(data, undefined);
    assertTooLarge(errors?.[0]);
  });

  it('of a query that is too large is refused with status 400, as JSON, as an event stream and by GET', async () => {
    for (const accept of ['application/graphql-response+json', 'text/event-stream']) {
      for (const method of ['GET', 'POST'] as const) {
        const response = await request(ada, { query: queryOf(9), variables: { roomId } }, { method, accept });
        assert.equal(response.status, 400);
        assertTooLarge(((await response.json()) as { errors: FrameError[] }).errors[0]);
      }
    }
  });

  it('of a query that is too large is refused over WebSocket, and the socket goes on', async () => {
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const { payload } = await socket.ask('1', queryOf(9), { roomId });
    assertTooLarge(payload.errors[0]);
    assert.equal((await socket.ask('2', '{ viewer { user { id } } }')).payload.data.viewer.user.id, ada.userId);
  });

  it('of a mutation that is too large says that the mutation was carried out', async () => {
    const { data, errors } = await ask(server.url, ada.token, mutationOf(9, 'carried out'), { roomId });
    assert.equal(data, null);
    assertTooLarge(errors?.[0]);
    assert.match(errors?.[0]?.message ?? '', /The mutation was carried out\.$/);
    const { room } = await ada.must<{ room: { lastMessage: { body: string } } }, object>(
      'query ($roomId: ID!) { room(id: $roomId) { lastMessage { body } } }',
      { roomId },
    );
    assert.equal(room.lastMessage.body, 'carried out');
  });

  it('of a subscription that is too large ends it before that event, over WebSocket', async () => {
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const nextOf = async (id: string) => {
      for (let frame = await socket.next(); ; frame = await socket.next()) if (frame.id === id) return frame;
    };
    const cursor = await findCursor();
    socket.subscribe('live', watchOf(9), { roomId });
    socket.subscribe('resumed', watchOf(9), { roomId, after: cursor });
    // The order of operations is that of the answers: both subscriptions are open.
    await until('both watch', () => server.app.liveRooms.size === 1);
    await socket.ask('query', '{ viewer { id } }');
    await ada.send(roomId, 'too large');
    const errors = [await socket.next(), await socket.next()];
    assert.deepEqual(errors.map(({ id }) => id).sort(), ['live', 'resumed']);
    for (const { type, payload } of errors) {
      assert.equal(type, 'error');
      assertTooLarge(payload[0]);
    }
    socket.subscribe('smaller', watchOf(1), { roomId, after: cursor });
    assert.equal((await nextOf('smaller')).payload.data.messageAdded.body, 'too large');
    socket.send({ id: 'smaller', type: 'complete' });
  });

  it('of a subscription that is too large ends it before that event, as an event stream', async () => {
    const cursor = await findCursor();
    await ada.send(roomId, 'too large');
    const stream = await EventStream.open(ada, watchOf(9), { variables: { roomId, after: cursor } });
    const first = await stream.next();
    assert.equal(first?.id, cursor);
    const event = await stream.nextData();
    assert.equal(event?.id, undefined);
    assertTooLarge((JSON.parse(event?.data ?? '{}') as { errors: FrameError[] }).errors[0]);
    const smaller = await EventStream.open(ada, watchOf(1), { variables: { roomId, after: cursor } });
    assert.equal((await smaller.nextMessage()).body, 'too large');
    smaller.close();
  });
});
