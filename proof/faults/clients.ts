// Faults of clients: readers that stop, thousands that reconnect at once, one key sent many times, a member removed. Each
// has a room of its own, whose watchers are recorded like all others and have received everything when it ends.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../tests/support/process.ts';
import type { Crowd, OpenWatcher } from '../clients/crowd.ts';
import type { Room } from '../clients/final-state.ts';
import type { Sent } from '../clients/outbox.ts';
import { type Protocol, protocols } from '../clients/streams.ts';
import { countEffect } from './effect.ts';
import type { Fault } from './fault.ts';

/** With the key, nearly the 4,000 characters that the server allows. */
const longText = ' long'.repeat(780);

/** For all watchers of a fault to receive everything, on a busy machine. */
const catchUpMs = 180_000;

/** Concurrent sends when a room is filled. */
const sendersAtOnce = 12;

/** Fills a room with messages of the owner. Returns the acknowledged ones, in room order. */
export async function fill(crowd: Crowd, room: Room, count: number, text = ' hello'): Promise<Sent[]> {
  const { outbox, owner } = crowd;
  const request = crowd.requestAs(owner);
  const sent: Sent[] = [];
  let left = count;
  const sendSome = async () => {
    while (left > 0) {
      left -= 1;
      const key = randomUUID();
      const message = await outbox.send({ key, room: room.id, body: `${key}${text}`, writer: owner, request });
      if (message) sent.push(message);
    }
  };
  await Promise.all(Array.from({ length: sendersAtOnce }, sendSome));
  return sent.sort((one, other) => one.number - other.number);
}

/** Half of the readers that stopped, of each protocol. */
const readsOn = (i: number) => i % 4 < 2;

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

/** Watchers of a room after `after`, over all given protocols and on all nodes. */
export function openWatchersIn(crowd: Crowd, room: Room, count: number, among: readonly Protocol[], after = room.start): OpenWatcher[] {
  return Array.from({ length: count }, (_, i) =>
    crowd.watch(room, crowd.owner, { protocol: among[i % among.length] as Protocol, node: Math.floor(i / among.length), after }),
  );
}

export const caughtUp = (watchers: readonly OpenWatcher[]) =>
  until('everyone has caught up', () => watchers.every(({ watcher }) => watcher.caughtUp), catchUpMs);

/**
 * Readers stop reading while long messages are sent, for longer than the server waits for a reader. Then half of them continue
 * to read, and the others drop their connections and reconnect. Other readers of the room receive everything at once.
 */
export function readersStop({ readers = 20, messages = 2500, pauseMs = 40_000 } = {}): Fault {
  return {
    name: 'readers that stop',
    // The buffers of the kernels, about 8 MB per reader, fill before a node has to wait.
    inject: (context) =>
      countEffect(context, `times that a node waited for one of ${readers} readers`, ['sockets.backpressured'], async () => {
        const { crowd } = context;
        const room = await crowd.createRoom('OPEN', []);
        const others = openWatchersIn(crowd, room, protocols.length, protocols);
        const stopped = openWatchersIn(crowd, room, readers, ['websocket', 'graphql-sse']);
        await caughtUp([...others, ...stopped]);
        const stoppedAt = performance.now();
        for (const { stream } of stopped) stream.pause(true);
        await fill(crowd, room, messages, longText);
        await crowd.seen(others);
        await sleep(Math.max(0, pauseMs - (performance.now() - stoppedAt)));
        await fill(crowd, room, 1);
        await crowd.seen(others);
        for (const { stream } of stopped.filter((_, i) => readsOn(i))) stream.pause(false);
        for (const { stream } of stopped.filter((_, i) => !readsOn(i))) stream.reconnect();
        await crowd.seen(stopped, catchUpMs);
        crowd.leave([...others, ...stopped]);
      }),
  };
}

/** All watching clients are disconnected and reconnect at once while messages are sent. Each missed another number of messages. */
export function manyReturn({ clients = 2000, missed = 500 } = {}): Fault {
  return {
    name: `${clients} clients cut at once`,
    async inject({ crowd, random }) {
      const room = await crowd.createRoom('OPEN', []);
      const sent = await fill(crowd, room, missed + 1);
      // These are at the head and not recorded, because they only exist to be disconnected. Those that reconnect are checked.
      const watching = Array.from({ length: clients }, (_, node) =>
        crowd.watch(room, crowd.owner, { protocol: 'websocket', node, after: (sent.at(-1) as Sent).cursor, recorded: false }),
      );
      await caughtUp(watching);
      crowd.leave(watching);
      const returned = Array.from({ length: clients }, (_, node) => {
        // Most missed a few messages, some many.
        const { cursor } = sent[missed - 1 - Math.floor(random() ** 3 * missed)] as Sent;
        return crowd.watch(room, crowd.owner, { protocol: 'websocket', node, after: cursor });
      });
      await fill(crowd, room, sendersAtOnce);
      await crowd.seen(returned, catchUpMs);
      await caughtUp(returned);
      crowd.leave(returned);
      return {
        figure: `missed messages delivered to ${clients} clients that returned`,
        count: sum(returned.map(({ watcher }) => watcher.delivered)),
      };
    },
  };
}

/** The same message is sent many times at once, to all nodes: it is written once, and every answer has that message. */
export function oneKeyAtOnce({ times = 50 } = {}): Fault {
  return {
    name: `one key sent ${times} times at once`,
    async inject({ crowd }) {
      const { outbox, owner } = crowd;
      const room = await crowd.createRoom('OPEN', []);
      const watching = openWatchersIn(crowd, room, protocols.length, protocols);
      const key = randomUUID();
      const outgoing = { key, room: room.id, body: `${key} hello`, writer: owner, request: crowd.requestAs(owner) };
      const sent = await Promise.all(Array.from({ length: times }, (_, i) => outbox.send(outgoing, i % crowd.urls.length)));
      await crowd.seen(watching);
      await caughtUp(watching);
      crowd.leave(watching);
      return { figure: 'answers that found the first message', count: sent.filter((message) => message?.deduplicated).length };
    },
  };
}

/** Members of a private room are removed while they are still receiving what they missed: nothing is delivered after that. */
export function memberRemoved({ members = 9, messages = 2000 } = {}): Fault {
  return {
    name: 'a member removed during a backfill',
    async inject({ crowd }) {
      const guests = await crowd.signIn(members);
      const room = await crowd.createRoom(
        'PRIVATE',
        guests.map(({ userId }) => userId),
      );
      await fill(crowd, room, messages);
      const staying = openWatchersIn(crowd, room, 1, protocols);
      const removed: OpenWatcher[] = [];
      // One after the other: with all at once, this process would notice the first event of each when the last has arrived.
      for (const [i, guest] of guests.entries()) {
        const protocol = protocols[i % protocols.length] as Protocol;
        const opened = crowd.watch(room, guest, { protocol, node: Math.floor(i / protocols.length) });
        removed.push(opened);
        await opened.watcher.begun;
        await crowd.removeMember(room, guest);
      }
      await fill(crowd, room, sendersAtOnce, ' not for removed members');
      await until('the streams of the removed members have ended', () => removed.every(({ watcher }) => watcher.ended !== undefined));
      await crowd.seen(staying);
      crowd.leave([...staying, ...removed]);
      const early = removed.filter(({ watcher }) => !watcher.caughtUp).length;
      return { figure: 'members whose stream was ended in the middle of a backfill', count: early };
    },
  };
}
