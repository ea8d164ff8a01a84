// Event streams, as EventSource and graphql-sse read them.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { EventStream } from '../support/event-stream.ts';
import { Lock } from '../support/lock.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';

const events = 'subscription ($roomId: ID!, $after: String) { roomEvents(roomId: $roomId, after: $after) { __typename cursor } }';

describe('an event stream', () => {
  let server: Server;
  let place: Awaited<ReturnType<typeof createPlace>>;
  let ada: Guest;
  before(async () => {
    place = await createPlace('PostgreSQL');
    server = await startServer({ env: place.env });
    ada = await Guest.signIn(server.url);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });
  const unwatched = () => until('nobody watches', () => server.app.liveRooms.size === 0);

  it('gives each message the cursor after it as its id', async () => {
    const roomId = await ada.createRoom();
    using stream = await EventStream.watch(ada, { roomId });
    assert.match(stream.response.headers.get('content-type') ?? '', /^text\/event-stream/);
    assert.equal(stream.response.headers.get('cache-control'), 'no-cache, no-transform');
    for (let number = 1; number <= 3; number += 1) {
      await ada.send(roomId, 'Hello');
      const { eventId, ...message } = await stream.nextMessage();
      assert.equal(message.number, number);
      assert.equal(eventId, message.cursor);
    }
  });

  it('starts with the id of its position, so that a browser resumes from there before anything has happened', async () => {
    const roomId = await ada.createRoom();
    const stream = await EventStream.watch(ada, { roomId });
    const { id } = (await stream.next()) ?? {};
    stream.close();
    await ada.send(roomId, 'While nobody listened');
    using resumed = await EventStream.watch(ada, { roomId }, { 'last-event-id': id as string });
    assert.equal((await resumed.nextMessage()).number, 1);
  });

  it('continues after Last-Event-ID, whatever the variable after is', async () => {
    const roomId = await ada.createRoom();
    const sent = [];
    for (let i = 0; i < 5; i += 1) sent.push((await ada.send(roomId, `message ${i + 1}`)).message);
    const [first, , third] = sent;
    using byAfter = await EventStream.watch(ada, { roomId, after: first?.cursor as string });
    assert.equal((await byAfter.nextMessage()).number, 2);
    using byId = await EventStream.watch(ada, { roomId, after: first?.cursor as string }, { 'last-event-id': third?.cursor as string });
    for (const number of [4, 5]) assert.equal((await byId.nextMessage()).number, number);
  });

  it('resumes after a cut with no gap and no repeat', async () => {
    const roomId = await ada.createRoom();
    const seen: number[] = [];
    let lastEventId: string | undefined;
    for (let round = 0; round < 4; round += 1) {
      const stream = await EventStream.watch(ada, { roomId }, lastEventId === undefined ? {} : { 'last-event-id': lastEventId });
      if (round === 0) lastEventId = (await stream.next())?.id;
      for (let i = 0; i < 5; i += 1) await ada.send(roomId, 'Hello');
      for (let i = 0; i < 3; i += 1) {
        const { number, eventId } = await stream.nextMessage();
        seen.push(number);
        lastEventId = eventId;
      }
      stream.close();
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
  });

  const refusals: [string, Record<string, unknown>, Record<string, string>, number, string][] = [
    ['an unknown room', { roomId: 'room_00000000000000000000000000' }, {}, 404, 'NOT_FOUND'],
    ['an id of another type', { roomId: 'message_01h455vb4pex5vsknk084sn02q' }, {}, 400, 'BAD_USER_INPUT'],
    ['a junk cursor', { after: 'junk' }, {}, 400, 'CURSOR_INVALID'],
    ['a junk Last-Event-ID', {}, { 'last-event-id': 'junk' }, 400, 'CURSOR_INVALID'],
    ['no variables', { roomId: undefined }, {}, 400, 'BAD_USER_INPUT'],
    ['a bad token', {}, { authorization: 'Bearer junk' }, 401, 'UNAUTHENTICATED'],
    ['no token', {}, { authorization: '', cookie: '' }, 401, 'UNAUTHENTICATED'],
    ['a bad cookie', {}, { authorization: '', cookie: 'gapless_token=junk' }, 401, 'UNAUTHENTICATED'],
  ];
  for (const [what, variables, headers, status, code] of refusals) {
    it(`is refused with ${status}, so that a browser does not reconnect: ${what}`, async () => {
      const roomId = await ada.createRoom();
      const { response } = await EventStream.open(ada, events, { variables: { roomId, ...variables }, headers });
      const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
      assert.deepEqual([response.status, errors[0]?.extensions.code], [status, code]);
    });
  }

  for (const [accept, status] of [
    ['text/event-stream', 404],
    ['application/graphql-response+json', 404],
    // Errors of GraphQL have no status of their own there (https://graphql.github.io/graphql-over-http/draft/#sec-application-json).
    ['application/json', 200],
    ['*/*', 200],
  ] as const) {
    it(`is refused with ${status}, and never as a failure of the server, if the client accepts ${accept}`, async () => {
      const { response } = await EventStream.open(ada, events, {
        variables: { roomId: 'x' },
        headers: { accept },
      });
      const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
      assert.deepEqual([response.status, errors[0]?.extensions.code], [status, 'NOT_FOUND']);
    });
  }

  it('is refused with a sentence if the client accepts no event stream', async () => {
    const roomId = await ada.createRoom();
    const { response } = await EventStream.open(ada, events, { variables: { roomId }, headers: { accept: 'application/json' } });
    assert.match(await response.text(), /Accept: text\/event-stream/);
  });

  it('is refused with 400 if the operation does not parse, and with 405 for a mutation by GET', async () => {
    assert.equal((await EventStream.open(ada, 'subscription {')).response.status, 400);
    assert.equal((await EventStream.open(ada, 'mutation { signOut { signedOut } }')).response.status, 405);
  });

  it('completes when the room is deleted; a browser that reconnects is told by 204 to stop', async () => {
    const roomId = await ada.createRoom();
    using stream = await EventStream.open(ada, events, { variables: { roomId } });
    assert.match((await stream.nextData())?.data ?? '', /CaughtUp/);
    await ada.must('mutation ($input: DeleteRoomInput!) { deleteRoom(input: $input) { deletedRoomId } }', { input: { roomId } });
    assert.match((await stream.nextData())?.data ?? '', /RoomDeleted/);
    const complete = await stream.next();
    assert.equal(complete?.event, 'complete');
    assert.equal(await stream.next(), undefined);
    const again = await EventStream.open(ada, events, { variables: { roomId }, headers: { 'last-event-id': complete?.id as string } });
    assert.equal(again.response.status, 204);
    await unwatched();
  });

  it('of a query holds its result and complete', async () => {
    using stream = await EventStream.open(ada, '{ viewer { user { id } } }');
    assert.deepEqual(JSON.parse((await stream.nextData())?.data ?? ''), { data: { viewer: { user: { id: ada.userId } } } });
    assert.equal((await stream.next())?.event, 'complete');
    assert.equal(await stream.next(), undefined);
  });

  const accepted: [string, number, string][] = [
    ['text/event-stream', 200, 'text/event-stream'],
    ['text/event-stream, multipart/mixed', 200, 'text/event-stream'],
    ['application/json, text/event-stream;q=0.5', 200, 'text/event-stream'],
    ['*/*', 200, 'text/event-stream'],
    ['', 200, 'text/event-stream'],
    ['application/json', 406, ''],
    ['multipart/mixed', 406, ''],
  ];
  for (const [accept, status, type] of accepted) {
    it(`answers a subscription, with status ${status} if the client accepts ${accept || 'anything'}`, async () => {
      const roomId = await ada.createRoom();
      using stream = await EventStream.watch(ada, { roomId }, { accept });
      assert.equal(stream.response.status, status);
      assert.ok(stream.response.headers.get('content-type')?.startsWith(type) ?? type === '');
      if (status === 200) {
        for (let number = 1; number <= 3; number += 1) {
          await ada.send(roomId, 'Hello');
          assert.equal((await stream.nextMessage()).number, number);
        }
        stream.close();
      }
      await unwatched();
    });
  }

  for (const [accept, type] of [
    ['application/graphql-response+json, application/json, text/event-stream, multipart/mixed', 'application/graphql-response+json'],
    ['application/json, text/event-stream', 'application/json'],
    ['text/event-stream, application/json', 'text/event-stream'],
    ['*/*', 'application/json'],
  ] as const) {
    it(`answers a query only if it is preferred: ${accept}`, async () => {
      const { response } = await EventStream.open(ada, '{ viewer { user { id } } }', { headers: { accept } });
      assert.ok(response.headers.get('content-type')?.startsWith(type), response.headers.get('content-type') ?? '');
      await response.body?.cancel();
    });
  }

  it('leaves nothing behind when its client leaves', async () => {
    const roomId = await ada.createRoom();
    const streams = await Promise.all(Array.from({ length: 5 }, () => EventStream.watch(ada, { roomId })));
    for (const stream of streams) await stream.next();
    assert.equal(server.app.liveRooms.size, 1);
    for (const stream of streams) stream.close();
    await unwatched();
  });

  it('is refused on a connection that still has other requests to answer', async () => {
    const roomId = await ada.createRoom();
    const { host, port, pathname } = new URL(server.url);
    const query = new URLSearchParams({ query: events, variables: JSON.stringify({ roomId }) });
    const headers = `Host: ${host}\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${ada.token}`;
    const client = connect(Number(port), '127.0.0.1');
    let answers = '';
    client.on('data', (chunk) => (answers += chunk)).on('error', () => {});
    client.write(`GET ${pathname}?${query} HTTP/1.1\r\n${headers}\r\n\r\n`.repeat(3));
    await until('the first has begun', () => answers.includes('CaughtUp'));
    await server.app.close({ now: true });
    await until('the others are answered', () => answers.split('HTTP/1.1 400').length === 3);
    client.destroy();
    await server.restart();
  });

  it('leaves nothing behind when its client leaves while the room is looked up', async () => {
    const roomId = await ada.createRoom();
    await using lock = await Lock.take(place.env['DATABASE_URL'] as string, 'lock table rooms in access exclusive mode');
    const url = new URL(server.url);
    url.searchParams.set('query', events);
    url.searchParams.set('variables', JSON.stringify({ roomId }));
    const gone = new AbortController();
    const asking = fetch(url, { headers: { accept: 'text/event-stream', authorization: `Bearer ${ada.token}` }, signal: gone.signal });
    await until('the subscription waits', async () => (await lock.waiting()) === 1);
    gone.abort();
    await assert.rejects(asking);
    // The server has noticed it once it has answered another request.
    await fetch(new URL('/health', server.url));
    await lock.release();
    await until('the lookup is over', async () => (await lock.waiting()) === 0);
    await ada.send(roomId, 'Anyone?');
    await unwatched();
  });

  it('ends without complete when the server stops, and resumes at the next server', async () => {
    const roomId = await ada.createRoom();
    using stream = await EventStream.watch(ada, { roomId });
    await ada.send(roomId, 'Before');
    const { eventId } = await stream.nextMessage();
    await server.restart();
    assert.equal(await stream.next(), undefined);
    await ada.send(roomId, 'After');
    using resumed = await EventStream.watch(ada, { roomId }, { 'last-event-id': eventId as string });
    assert.equal((await resumed.nextMessage()).body, 'After');
  });
});
