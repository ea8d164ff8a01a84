// Faults of clients: readers that stop, thousands that come back at once, one key sent many times, a member removed.
// Each has a room of its own, whose watchers are recorded as all others are, and leaves it quiet and fully seen.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../tests/support/process.ts';
import type { Account } from '../clients/api.ts';
import type { Crowd, Seat } from '../clients/crowd.ts';
import type { Room } from '../clients/final-state.ts';
import type { Sent } from '../clients/outbox.ts';
import { type Protocol, protocols } from '../clients/streams.ts';
import type { Fault } from './fault.ts';
import { felt } from './felt.ts';

/** The longest message that the server takes has 4,000 characters, its key among them. */
const longText = ' long'.repeat(780);

/** For everyone of a fault to be told everything, on a machine that is busy. */
const catchUpMs = 180_000;

/** Sends under way at once where a room is filled. */
const sendersAtOnce = 12;

/** Fills a room with messages of the owner. Returns what was acknowledged, in the order of the room. */
export async function fill(crowd: Crowd, room: Room, count: number, text = ' hello'): Promise<Sent[]> {
  const { outbox, owner } = crowd;
  const ask = crowd.askFor(owner);
  const sent: Sent[] = [];
  let left = count;
  const sendSome = async () => {
    while (left > 0) {
      left -= 1;
      const key = randomUUID();
      const message = await outbox.send({ key, room: room.id, body: `${key}${text}`, writer: owner, ask });
      if (message) sent.push(message);
    }
  };
  await Promise.all(Array.from({ length: sendersAtOnce }, sendSome));
  return sent.sort((one, other) => one.number - other.number);
}

/** Half of the readers that stopped, and of each protocol. */
const readsOn = (i: number) => i % 4 < 2;

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

/** Watchers of a room from where it is now, in all protocols that are given and on all nodes. */
export function seatsIn(crowd: Crowd, room: Room, count: number, among: readonly Protocol[], after = room.start): Seat[] {
  return Array.from({ length: count }, (_, i) =>
    crowd.watch(room, crowd.owner, { protocol: among[i % among.length] as Protocol, node: Math.floor(i / among.length), after }),
  );
}

export const caughtUp = (seats: readonly Seat[]) =>
  until('everyone has caught up', () => seats.every(({ watcher }) => watcher.caughtUp), catchUpMs);

/**
 * Readers stop reading while long messages come, for longer than the server waits for one that takes nothing. Then half of
 * them read on, and the others give up their connections and come back. Other readers of the room see everything at once.
 */
export function readersStop({ readers = 20, messages = 2500, pauseMs = 40_000 } = {}): Fault {
  return {
    name: 'readers that stop',
    // What the kernels on the way take, about 8 MB for each, comes before a node has to wait.
    strike: (stage) =>
      felt(stage, `times that a node waited for one of ${readers} readers`, ['sockets.backpressured'], async () => {
        const { crowd } = stage;
        const room = await crowd.createRoom('OPEN', []);
        const others = seatsIn(crowd, room, protocols.length, protocols);
        const stopped = seatsIn(crowd, room, readers, ['websocket', 'graphql-sse']);
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

/** Clients that watch are cut all at once, and come back at once, each another number of messages behind, while messages come. */
export function manyReturn({ clients = 2000, behind = 500 } = {}): Fault {
  return {
    name: `${clients} clients cut at once`,
    async strike({ crowd, random }) {
      const room = await crowd.createRoom('OPEN', []);
      const sent = await fill(crowd, room, behind + 1);
      // At the head, and not written down: they are there to be cut. What is checked is what is handed to those who return.
      const watching = Array.from({ length: clients }, (_, node) =>
        crowd.watch(room, crowd.owner, { protocol: 'websocket', node, after: (sent.at(-1) as Sent).cursor, recorded: false }),
      );
      await caughtUp(watching);
      crowd.leave(watching);
      const returned = Array.from({ length: clients }, (_, node) => {
        // Most were away for a moment, some for long.
        const { cursor } = sent[behind - 1 - Math.floor(random() ** 3 * behind)] as Sent;
        return crowd.watch(room, crowd.owner, { protocol: 'websocket', node, after: cursor });
      });
      await fill(crowd, room, sendersAtOnce);
      await crowd.seen(returned, catchUpMs);
      await caughtUp(returned);
      crowd.leave(returned);
      return { figure: `missed messages handed to ${clients} who returned`, count: sum(returned.map(({ watcher }) => watcher.delivered)) };
    },
  };
}

/** The same message is sent many times at once, to all nodes: it is written once, and every answer names that one. */
export function oneKeyAtOnce({ times = 50 } = {}): Fault {
  return {
    name: `one key sent ${times} times at once`,
    async strike({ crowd }) {
      const { outbox, owner } = crowd;
      const room = await crowd.createRoom('OPEN', []);
      const watching = seatsIn(crowd, room, protocols.length, protocols);
      const key = randomUUID();
      const letter = { key, room: room.id, body: `${key} hello`, writer: owner, ask: crowd.askFor(owner) };
      const sent = await Promise.all(Array.from({ length: times }, (_, i) => outbox.send(letter, i % crowd.urls.length)));
      await crowd.seen(watching);
      await caughtUp(watching);
      crowd.leave(watching);
      return { figure: 'answers that found the first message', count: sent.filter((message) => message?.deduplicated).length };
    },
  };
}

/** Members of a private room are removed while they are still being handed what they missed: nothing comes after that. */
export function memberRemoved({ members = 9, messages = 400 } = {}): Fault {
  return {
    name: 'a member removed during a backfill',
    async strike({ crowd }) {
      const guests = await crowd.signIn(members);
      const room = await crowd.createRoom(
        'PRIVATE',
        guests.map(({ userId }) => userId),
      );
      await fill(crowd, room, messages);
      const staying = seatsIn(crowd, room, 1, protocols);
      const removed = guests.map((guest, i) =>
        crowd.watch(room, guest, { protocol: protocols[i % protocols.length] as Protocol, node: Math.floor(i / protocols.length) }),
      );
      await Promise.all(
        removed.map(async ({ watcher }, i) => {
          await watcher.begun;
          await crowd.removeMember(room, guests[i] as Account);
        }),
      );
      await fill(crowd, room, sendersAtOnce, ' not for those who were removed');
      await until('the streams of those who were removed have ended', () => removed.every(({ watcher }) => watcher.ended !== undefined));
      await crowd.seen(staying);
      crowd.leave([...staying, ...removed]);
      const early = removed.filter(({ watcher }) => !watcher.caughtUp).length;
      return { figure: 'members whose stream was ended in the middle of a backfill', count: early };
    },
  };
}
