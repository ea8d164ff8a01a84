// Two nodes, each in its own process, on one PostgreSQL and one Redis.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { print } from 'graphql';
import * as gql from './gql/graphql.ts';
import { type ServerNode, startNode } from './support/node.ts';
import { createDatabase } from './support/postgres.ts';
import { until } from './support/process.ts';
import { type RedisServer, startRedis } from './support/redis.ts';
import { Guest } from './support/server.ts';
import { range } from './support/storage.ts';

const senders = 8;

/** Starts two nodes on a new database. */
async function startCluster(redisUrl: string): Promise<{ nodes: [ServerNode, ServerNode] } & AsyncDisposable> {
  await using started = new AsyncDisposableStack();
  const database = started.use(await createDatabase());
  const env = { DATABASE_URL: database.url, REDIS_URL: redisUrl, IDENTITY: 'guest', LOG_LEVEL: 'warn' };
  const nodes = await Promise.all([startNode(env), startNode(env)]);
  for (const node of nodes) started.use(node);
  const cleanup = started.move();
  return { nodes, [Symbol.asyncDispose]: () => cleanup.disposeAsync() };
}

/** Collects the numbers of the messages that a subscriber receives, up to `last`. */
async function watch(viewer: Guest, roomId: string, last: number) {
  const client = viewer.connect();
  const stream = client.iterate<gql.RoomEventsSubscription>({ query: print(gql.RoomEventsDocument), variables: { roomId } });
  const first = await stream.next();
  assert.equal(first.value?.data?.roomEvents.__typename, 'CaughtUp');
  const numbers: number[] = [];
  const reading = (async () => {
    for await (const { data, errors } of stream) {
      assert.equal(errors, undefined);
      assert.equal(data?.roomEvents.__typename, 'MessageAdded');
      numbers.push(data.roomEvents.message.number);
      if (numbers.length === last) break;
    }
    await client.dispose();
    return numbers;
  })();
  return { numbers, reading };
}

/** Sends `count` messages by concurrent senders, spread over `nodes`. Returns the acknowledged numbers. */
async function send(sender: Guest, nodes: readonly ServerNode[], roomId: string, count: number): Promise<number[]> {
  let left = count;
  const acknowledged: number[] = [];
  const sendSome = async (at: Guest) => {
    while (left > 0) {
      left -= 1;
      acknowledged.push((await at.send(roomId, 'hello')).message.number);
    }
  };
  await Promise.all(range(1, senders).map((i) => sendSome(sender.at((nodes[i % nodes.length] as ServerNode).url))));
  return acknowledged.sort((a, b) => a - b);
}

describe('two nodes', () => {
  let redis: RedisServer;
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  let one: ServerNode;
  let two: ServerNode;
  before(async () => {
    redis = await startRedis();
    cluster = await startCluster(redis.url);
    [one, two] = cluster.nodes;
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  it('deliver 3,000 messages of 8 senders on one node to a subscriber of the other, each once and in order', {
    timeout: 120_000,
  }, async () => {
    const ada = await Guest.signIn(one.url);
    const roomId = await ada.createRoom();
    const { reading } = await watch(ada.at(two.url), roomId, 3000);
    const acknowledged = await send(ada, [one], roomId, 3000);
    assert.deepEqual(acknowledged, range(1, 3000));
    assert.deepEqual(await reading, acknowledged);
  });

  it('deliver the same order to subscribers of both, whichever node a message is sent to', async () => {
    const ada = await Guest.signIn(one.url);
    const roomId = await ada.createRoom();
    const watching = [await watch(ada, roomId, 600), await watch(ada.at(two.url), roomId, 600)];
    await send(ada, [one, two], roomId, 600);
    for (const { reading } of watching) assert.deepEqual(await reading, range(1, 600));
  });

  it('find the first message when a retry reaches the other node', async () => {
    const ada = await Guest.signIn(one.url);
    const roomId = await ada.createRoom();
    const first = await ada.send(roomId, 'hello', 'key');
    const again = await ada.at(two.url).send(roomId, 'hello', 'key');
    assert.deepEqual([first.deduplicated, again.deduplicated, again.message.id], [false, true, first.message.id]);
  });

  it('end the stream of a member who is removed on the other node', async () => {
    const ada = await Guest.signIn(one.url);
    const grace = await Guest.signIn(two.url, 'Grace');
    const roomId = await ada.createRoom({ kind: 'PRIVATE', memberIds: [grace.userId] });
    const client = grace.connect();
    const seen: (string | undefined)[] = [];
    const stream = client.iterate<gql.RoomEventsSubscription>({ query: print(gql.RoomEventsDocument), variables: { roomId } });
    seen.push((await stream.next()).value?.data?.roomEvents.__typename);
    await ada.must('mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { removedUserId } }', {
      input: { roomId, userId: grace.userId },
    });
    await ada.send(roomId, 'not for Grace');
    for await (const { data } of stream) seen.push(data?.roomEvents.__typename);
    assert.deepEqual(seen, ['CaughtUp', 'MessageAdded', 'MemberLeft']);
    await client.dispose();
    assert.deepEqual((await grace.must(gql.RoomViewDocument, { id: roomId })).room, null);
  });

  it('lose nothing and repeat nothing while Redis is killed and restarted', { timeout: 120_000 }, async () => {
    const ada = await Guest.signIn(one.url);
    const roomId = await ada.createRoom();
    const { reading, numbers } = await watch(ada.at(two.url), roomId, 1500);
    const parts = [await send(ada, [one], roomId, 400)];
    const sending = send(ada, [one], roomId, 600);
    await redis.stop();
    parts.push(await sending);
    // Without Redis, messages arrive by way of the database.
    await until('all messages have arrived', () => numbers.length === 1000);
    const more = send(ada, [one], roomId, 500);
    await redis.start();
    parts.push(await more);
    assert.deepEqual(parts.flat(), range(1, 1500));
    assert.deepEqual(await reading, range(1, 1500));
  });
});
