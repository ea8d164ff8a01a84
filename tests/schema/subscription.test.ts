// A subscription whose events cannot be executed: nothing is delivered, and its position does not move.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type ExecutionResult, parse } from 'graphql';
import { sql } from 'kysely';
import { sendMessage } from '../../src/chat/messages.ts';
import type { Sink } from '../../src/feed/delivery.ts';
import { LiveRooms } from '../../src/feed/live-rooms.ts';
import { logSourceOf } from '../../src/feed/log-reader.ts';
import type { Context } from '../../src/schema/context.ts';
import { subscribeOperation } from '../../src/schema/execute.ts';
import { schema } from '../../src/schema/index.ts';
import { Subscription } from '../../src/schema/subscription.ts';
import { messageCursor } from '../../src/storage/messages.ts';
import { collectLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { retryFor } from '../support/retry.ts';
import { chatOn, createOwnedRoom, openTestStorage, type TestStorage } from '../support/storage.ts';
import { viewerOf } from '../support/viewer.ts';

class Collected implements Sink<ExecutionResult> {
  readonly results: ExecutionResult[] = [];
  readonly open = true;
  readonly ready = true;

  drained(): Promise<void> {
    return Promise.resolve();
  }

  write(result: ExecutionResult): void {
    this.results.push(result);
  }
}

const selections = {
  'the same for everyone': 'subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { number body } }',
  'that depends on the viewer':
    'subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { number room { viewerMembership { role } } } }',
};

describe('a subscription', () => {
  let opened: TestStorage;
  before(async () => {
    opened = await openTestStorage('PGlite');
  });
  after(() => opened[Symbol.asyncDispose]());

  async function subscribe(query: string) {
    const { db, storage } = opened;
    const chat = chatOn(db);
    const clock = new ManualClock();
    const { log, lines } = collectLog();
    const liveRooms = new LiveRooms(logSourceOf(storage.feedDb), chat.bus, retryFor({ clock, log }), log);
    const { roomId, userId } = await createOwnedRoom(chat);
    const send = (body: string) => sendMessage(chat, userId, { roomId, body });
    const cursor = messageCursor((await send('one')).message);
    const open = async (wanted: () => boolean = () => true) => {
      const contextValue = {
        ...{ storage, chat, liveRooms, log, wanted, setCookie() {} },
        viewer: viewerOf(userId),
      } as unknown as Context;
      const source = await subscribeOperation({ schema, document: parse(query), variableValues: { roomId, after: cursor }, contextValue });
      assert.ok(source instanceof Subscription);
      return source;
    };
    return { roomId, send, cursor, open, clock, lines, liveRooms };
  }

  /** Makes `number` of the newest message an integer that GraphQL cannot represent. */
  const overflow = (roomId: string) =>
    sql`update messages set number = number + 3000000000 where room_id = ${roomId} and number = 2`.execute(opened.db);
  const repair = (roomId: string) =>
    sql`update messages set number = 2 where room_id = ${roomId} and number > 3000000000`.execute(opened.db);

  for (const [what, query] of Object.entries(selections)) {
    it(`ends with UNAVAILABLE and its cursor unmoved, if a result ${what} fails for 30 s`, async () => {
      const { roomId, send, cursor, open, clock, lines, liveRooms } = await subscribe(query);
      await send('two');
      await overflow(roomId);
      const source = await open();
      const sink = new Collected();
      let ended: unknown;
      source.run(sink).catch((error: unknown) => (ended = error));
      await until('it has failed for 30 s', async () => {
        await clock.advance(1000);
        return ended !== undefined;
      });
      assert.equal((ended as { extensions: { code: string } }).extensions.code, 'UNAVAILABLE');
      assert.deepEqual(sink.results, []);
      assert.equal(source.cursor, cursor);
      assert.ok(clock.now() >= 30_000);
      assert.equal(lines.filter(({ level }) => level === 'error').length, 1);
      assert.equal(liveRooms.size, 0);
    });

    it(`delivers a result ${what} once it can be executed, and what follows`, async () => {
      const { roomId, send, open, clock, lines } = await subscribe(query);
      await send('two');
      await overflow(roomId);
      const source = await open();
      const sink = new Collected();
      const running = source.run(sink);
      await clock.advance(10_000);
      await send('three');
      await clock.advance(5000);
      assert.deepEqual(sink.results, []);
      await repair(roomId);
      await until('it has delivered both', async () => {
        await clock.advance(1000);
        return sink.results.length === 2;
      });
      assert.deepEqual(
        sink.results.map(({ data, errors }) => [(data as { messageAdded: { number: number } }).messageAdded.number, errors]),
        [
          [2, undefined],
          [3, undefined],
        ],
      );
      source.stop();
      await running;
      assert.ok(!lines.some(({ level }) => level === 'error'));
    });
  }

  it('that goes on keeps nothing of one that asked for the same first and has left', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const { send, open } = await subscribe(selections['the same for everyone']);
    const sink = new Collected();
    /** Opens the first one, whose context holds an object of its own, as that of a socket does. */
    const openFirst = async () => {
      const socket = { of: 'the first' };
      const first = await open(() => socket.of !== '');
      const running = first.run(new Collected());
      const leave = () => {
        first.stop();
        return running;
      };
      return { held: new WeakRef(socket), leave };
    };
    const opened: Partial<Awaited<ReturnType<typeof openFirst>>> = await openFirst();
    const second = await open();
    const running = second.run(sink);
    await send('two');
    await until('the second has it', () => sink.results.length === 1);
    await opened.leave?.();
    delete opened.leave;
    await until('the first is collected', () => {
      collect();
      return opened.held?.deref() === undefined;
    });
    await send('three');
    await until('the second goes on', () => sink.results.length === 2);
    second.stop();
    await running;
  });
});
