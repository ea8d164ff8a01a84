// Ids that are used again: ending takes effect at once, and only for the operation that was meant.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { realClock } from '../../src/clock.ts';
import { maxIdLength, maxOperations } from '../../src/transport/limits.ts';
import { MessageRate } from '../../src/transport/message-rate.ts';
import { Operations } from '../../src/transport/operations.ts';
import { Lock } from '../support/lock.ts';
import { until } from '../support/process.ts';
import { chooseSeed, pick, randomFrom } from '../support/random.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';

/** Each generation has its own alias, so that every frame tells which one it belongs to. */
const subscription = (generation: string) =>
  `subscription ($roomId: ID!, $after: String) { ${generation}: messageAdded(roomId: $roomId, after: $after) { number body } }`;
const query = (generation: string) => `{ ${generation}: viewer { user { id } } }`;
const mutation = (generation: string) =>
  `mutation ($roomId: ID!) { ${generation}: sendMessage(input: { roomId: $roomId, body: "${generation}" }) { message { id } } }`;

const complete = (id: string) => ({ id, type: 'complete' });

describe('an id of a WebSocket', { timeout: 240_000 }, () => {
  let server: Server;
  let place: Awaited<ReturnType<typeof createPlace>>;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    place = await createPlace('PostgreSQL');
    server = await startServer({ env: place.env });
    ada = await Guest.signIn(server.url);
    roomId = await ada.createRoom();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  const open = () => RawSocket.signedIn(server.url, ada.token);
  const subscribe = (id: string, text: string, variables: object = { roomId }) => ({
    id,
    type: 'subscribe',
    payload: { query: text, variables },
  });
  const unwatched = () => until('nobody watches', () => server.app.liveRooms.size === 0);
  const findCursor = async () => {
    const { room } = await ada.must<{ room: { messages: { syncCursor: string } } }, object>(
      'query ($roomId: ID!) { room(id: $roomId) { messages(last: 1) { syncCursor } } }',
      { roomId },
    );
    return room.messages.syncCursor;
  };
  const findBodies = async () => {
    const { room } = await ada.must<{ room: { messages: { nodes: { body: string }[] } } }, object>(
      'query ($roomId: ID!) { room(id: $roomId) { messages(last: 100) { nodes { body } } } }',
      { roomId },
    );
    return room.messages.nodes.map(({ body }) => body);
  };

  /** Sends a message, and returns the frames that the socket received up to then: what comes after the pong is not among them. */
  async function framesAfterSend(socket: RawSocket, body: string) {
    await ada.send(roomId, body);
    const frames = [];
    // Every subscription at the head is served together, so a second message follows all copies of the first.
    for (let frame = await socket.next(); ; frame = await socket.next()) {
      frames.push(frame);
      const [event] = Object.values(frame.payload?.data ?? {}) as { body: string }[];
      if (event?.body === body) break;
    }
    socket.send({ type: 'ping' });
    for (let frame = await socket.next(); frame.type !== 'pong'; frame = await socket.next()) frames.push(frame);
    return frames;
  }

  const generationsOf = (frames: Awaited<ReturnType<typeof framesAfterSend>>) =>
    frames.filter(({ type }) => type === 'next').map(({ payload }) => Object.keys(payload.data)[0]);

  it('that is completed and used again in one go has one subscription, which ends when it is completed', async () => {
    using socket = await open();
    const cursor = await findCursor();
    const again = (generation: string) => subscribe('1', subscription(generation), { roomId, after: cursor });
    socket.sendTogether([again('g1'), complete('1'), again('g2')]);
    assert.deepEqual(generationsOf(await framesAfterSend(socket, 'once')), ['g2']);
    socket.send(complete('1'));
    await unwatched();
  });

  it('that is used again by a chain of a hundred has the last subscription of the chain', async () => {
    using socket = await open();
    const cursor = await findCursor();
    const chain = range(1, 100).flatMap((i) => [subscribe('1', subscription(`g${i}`), { roomId, after: cursor }), complete('1')]);
    socket.sendTogether([...chain, subscribe('1', subscription('last'), { roomId, after: cursor })]);
    assert.deepEqual(generationsOf(await framesAfterSend(socket, 'chain')), ['last']);
    socket.sendTogether([complete('1'), complete('1')]);
    await unwatched();
  });

  it('that is used again while its subscription is being opened waits for nothing', async () => {
    using socket = await open();
    const cursor = await findCursor();
    await using lock = await lockRooms();
    const again = (generation: string) => subscribe('1', subscription(generation), { roomId, after: cursor });
    socket.send(again('g1'));
    await until('the subscription waits for the database', async () => (await lock.waiting()) === 1);
    socket.send(complete('1'));
    // A query needs no table that is locked.
    assert.equal((await socket.ask('1', query('g2'))).payload.data.g2.user.id, ada.userId);
    socket.sendTogether([again('g3'), complete('1'), again('g4')]);
    await lock.release();
    assert.deepEqual(generationsOf(await framesAfterSend(socket, 'opened')), ['g4']);
    socket.send(complete('1'));
    await unwatched();
  });

  it('that is used again after an operation was refused has the new operation', async () => {
    using socket = await open();
    const cursor = await findCursor();
    for (const refused of ['{', '{ nothing }', 'query A { viewer { user { id } } } query B { viewer { user { id } } }']) {
      socket.sendTogether([subscribe('1', refused), complete('1'), subscribe('1', subscription('live'), { roomId, after: cursor })]);
      assert.ok(generationsOf(await framesAfterSend(socket, refused)).includes('live'));
      socket.send(complete('1'));
      await unwatched();
    }
  });

  it('that belonged to a query answers the new operation only', async () => {
    using socket = await open();
    socket.sendTogether([subscribe('1', query('g1')), complete('1'), subscribe('1', query('g2'))]);
    assert.equal((await socket.next()).payload.data.g2.user.id, ada.userId);
    assert.deepEqual(await socket.next(), complete('1'));
  });

  it('that belonged to a mutation answers the new operation only, and the mutation is carried out', async () => {
    using socket = await open();
    socket.sendTogether([subscribe('1', mutation('carriedOut')), complete('1'), subscribe('1', query('g2'))]);
    assert.equal((await socket.next()).payload.data.g2.user.id, ada.userId);
    assert.deepEqual(await socket.next(), complete('1'));
    await until('it is carried out', async () => (await findBodies()).includes('carriedOut'));
    assert.deepEqual((await socket.ask('2', query('g3'))).payload.data.g3.user.id, ada.userId);
  });

  it('that is completed before the connection is acknowledged changes nothing', async () => {
    using socket = await RawSocket.open(server.url);
    socket.sendTogether([complete('1'), { type: 'connection_init', payload: { authorization: `Bearer ${ada.token}` } }, complete('1')]);
    assert.equal((await socket.next()).type, 'connection_ack');
    assert.equal((await socket.ask('1', query('g1'))).payload.data.g1.user.id, ada.userId);
  });

  it('that is in use closes the socket with 4409, after it was completed and used again too, and whatever its length', async () => {
    for (const id of ['1', 'x'.repeat(maxIdLength), '界'.repeat(100)]) {
      using socket = await open();
      socket.sendTogether([
        subscribe(id, subscription('g1')),
        complete(id),
        subscribe(id, subscription('g2')),
        subscribe(id, subscription('g3')),
      ]);
      assert.equal((await socket.closed).code, 4409);
    }
    await unwatched();
  });

  it('is of one socket only', async () => {
    using one = await open();
    using other = await open();
    const cursor = await findCursor();
    for (const socket of [one, other]) socket.send(subscribe('1', subscription('g1'), { roomId, after: cursor }));
    one.send(complete('1'));
    assert.deepEqual(generationsOf(await framesAfterSend(other, 'both')), ['g1']);
  });

  const slow = '{ rooms(first: 1) { nodes { name } } }';
  const ids = range(1, maxOperations).map(String);
  const lockRooms = () => Lock.take(place.env['DATABASE_URL'] as string, 'lock table rooms in access exclusive mode');

  /** Asserts that the operation that was sent last was refused, and that the socket may have more once the others have ended. */
  async function assertFullUntilReleased(socket: RawSocket, lock: Lock) {
    /** Reads up to a frame of this id. */
    const next = async (id: string) => {
      for (;;) {
        const frame = await socket.next();
        if (frame.id === id) return frame;
      }
    };
    const refused = await next('one too many');
    assert.deepEqual([refused.type, refused.payload[0]?.extensions.code], ['error', 'RATE_LIMITED']);
    await lock.release();
    await until('the socket may have more operations', async () => {
      socket.subscribe('again', slow);
      const { type } = await next('again');
      if (type === 'next') await next('again');
      return type === 'next';
    });
  }

  it('counts for as long as its query is under way, although it was completed', async () => {
    using socket = await open();
    await using lock = await lockRooms();
    socket.sendTogether(ids.map((id) => subscribe(id, slow)));
    socket.sendTogether([...ids.map(complete), subscribe('one too many', slow)]);
    await assertFullUntilReleased(socket, lock);
  });

  it('counts for as long as its mutation is under way, although it was completed in one go', async () => {
    using socket = await open();
    await using lock = await lockRooms();
    // Not a send, because one user may have 200 of them under way.
    const join = 'mutation ($roomId: ID!) { joinRoom(input: { roomId: $roomId }) { membership { id } } }';
    const pairs = ids.flatMap((id) => [subscribe(id, join), complete(id)]);
    socket.sendTogether([...pairs, subscribe('one too many', slow)]);
    await assertFullUntilReleased(socket, lock);
  });

  it('means the right operation in 1,000 random interleavings', async () => {
    const seed = chooseSeed('operations');
    const rounds = range(1, 1000);
    const play = async () => {
      for (let round = rounds.shift(); round !== undefined; round = rounds.shift()) await interleave(`r${round}`, randomFrom(seed + round));
    };
    await Promise.all(range(1, 8).map(play));
    await unwatched();
  });

  interface Generation {
    readonly name: string;
    readonly kind: 'subscription' | 'query' | 'mutation' | 'refused';
    readonly id: string;
    /** The step in which its client began it, and the one in which it completed it. */
    readonly beganAt: number;
    completedAt?: number;
    /** Frames that it was answered with. */
    readonly frames: string[];
    readonly bodies: string[];
    readonly numbers: number[];
    ended: boolean;
  }

  /** Plays one random interleaving, and compares what the socket receives with a model of it. */
  async function interleave(round: string, random: () => number): Promise<void> {
    using socket = await open();
    const cursor = await findCursor();
    const ids = ['a', 'b', 'c'].slice(0, 1 + Math.floor(random() * 3));
    const generations: Generation[] = [];
    const current = new Map<string, Generation>();
    const textOf = {
      subscription,
      query,
      mutation,
      refused: (name: string) => `{ ${name}: nothing }`,
    };
    let step = 0;
    let batch: object[] = [];
    let pongs = 0;

    const begin = (id: string) => {
      const kind = pick(['subscription', 'subscription', 'query', 'mutation', 'refused'] as const, random);
      const generation: Generation = {
        name: `${round}g${generations.length}`,
        kind,
        id,
        beganAt: step,
        frames: [],
        bodies: [],
        numbers: [],
        ended: false,
      };
      generations.push(generation);
      current.set(id, generation);
      batch.push(subscribe(id, textOf[kind](generation.name), { roomId, ...(kind === 'subscription' ? { after: cursor } : {}) }));
    };
    const end = (id: string) => {
      batch.push(complete(id));
      const generation = current.get(id);
      if (!generation) return;
      generation.completedAt = step;
      current.delete(id);
    };

    /** Reads until every step sent so far is answered. Whatever comes after the pong of a step may not be of what it completed. */
    const read = async () => {
      while (pongs < step) {
        const frame = await socket.next();
        if (frame.type === 'pong') {
          pongs += 1;
          continue;
        }
        const generation = ownerOf(frame);
        assert.ok(generation, `${JSON.stringify(frame)} belongs to no operation`);
        assert.ok((generation.completedAt ?? Infinity) >= pongs, `${generation.name} was answered after it was completed`);
        assert.equal(generation.ended, false, `${generation.name} was answered after its end`);
        generation.frames.push(frame.type);
        if (generation.kind === 'subscription') {
          const { number, body } = frame.payload.data[generation.name];
          generation.numbers.push(number);
          generation.bodies.push(body);
        }
        if (frame.type !== 'next') {
          generation.ended = true;
          if (current.get(generation.id) === generation) current.delete(generation.id);
        }
      }
    };
    const ownerOf = ({ id, type, payload }: Awaited<ReturnType<RawSocket['next']>>) => {
      if (type === 'next') return generations.find(({ name }) => name in (payload.data ?? {}));
      // `complete` and `error` name no generation. The server has taken every step whose pong has come, and perhaps the next.
      return generations.findLast((each) => each.id === id && each.beganAt <= pongs && (each.completedAt ?? Infinity) >= pongs);
    };

    for (const _ of range(1, 1 + Math.floor(random() * 4))) {
      batch = [];
      for (const _ of range(1, 1 + Math.floor(random() * 6))) {
        const id = pick(ids, random);
        if (current.has(id)) end(id);
        else if (random() < 0.1) end(id);
        else begin(id);
        step += 1;
        batch.push({ type: 'ping' });
      }
      socket.sendTogether(batch);
      if (random() < 0.5) await read();
    }
    await ada.send(roomId, round);
    const isAnswered = ({ kind, bodies, ended, completedAt }: Generation) =>
      completedAt !== undefined || ended || (kind === 'subscription' && bodies.includes(round));
    while (!generations.every(isAnswered)) {
      step += 1;
      socket.send({ type: 'ping' });
      await read();
    }
    const bodies = (await findBodies()).filter((body) => body.startsWith(`${round}g`));
    for (const { name, kind, frames, completedAt, ...generation } of generations) {
      if (completedAt !== undefined) continue;
      if (kind === 'query' || kind === 'mutation') assert.deepEqual(frames, ['next', 'complete'], name);
      if (kind === 'refused') assert.deepEqual(frames, ['error'], name);
      if (kind === 'mutation') assert.ok(bodies.includes(name), `${name} was not carried out`);
      if (kind === 'subscription')
        assert.deepEqual(new Set(generation.numbers).size, generation.numbers.length, `${name} received something twice`);
    }
    assert.equal(new Set(bodies).size, bodies.length, 'a mutation was carried out twice');
  }
});

it('a socket that ends obeys `complete`, answers pings, and begins nothing', async () => {
  const state = { open: true };
  const handled: string[] = [];
  const socket = {
    connection: undefined as never,
    rate: new MessageRate({ operationsPerSecond: 1, operationBurst: 10 }, realClock),
    refuse: (id: string) => handled.push(`refused ${id}`),
    writable: true,
    get open() {
      return state.open;
    },
    close: (code: number) => handled.push(`closed with ${code}`),
  };
  const operations = new Operations(socket);
  const released = Promise.withResolvers<void>();
  const receive = (message: { id?: string; type: string; payload?: object }) =>
    operations.receive(JSON.stringify(message), async () => {
      handled.push(`${message.type} ${message.id ?? ''}`);
      if (message.type === 'subscribe') await released.promise;
    });
  receive({ id: '1', type: 'subscribe', payload: { query: '{ viewer { id } }' } });
  state.open = false;
  receive({ id: '2', type: 'subscribe', payload: { query: '{ viewer { id } }' } });
  receive({ type: 'ping' });
  assert.equal(operations.current('1')?.cancelled, false);
  receive({ id: '1', type: 'complete' });
  assert.equal(operations.current('1')?.cancelled, true);
  assert.deepEqual(handled, ['subscribe 1', 'ping ', 'complete 1']);
  released.resolve();
});
