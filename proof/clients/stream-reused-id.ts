// A watcher that repeatedly completes its subscription and subscribes again with the same id, without waiting for the
// server. Each generation uses an alias of its own, which identifies the generation of a result.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionResult } from 'graphql';
import { pick } from '../../tests/support/random.ts';
import { openBareSocket, type Send } from './bare-socket.ts';
import type { Stream } from './stream.ts';
import { type NextStep, type RoomEvent, roomEvents, type Watcher } from './watcher.ts';

const id = '1';
/** The longest pause between two reuses. */
const maxPauseMs = 600;
/** Number of aliases. They are bounded because the server caches a document for each. */
const aliases = 32;
const complete = { id, type: 'complete' };
/** Its pong shows that the server has processed everything before it. */
const lastPing = { type: 'ping', payload: { last: true } };

export interface ReusedId extends Stream {
  /** How often a generation was completed and followed by another. */
  readonly reuses: number;
  /** Completes the subscription and keeps the socket open. Resolves when the server has processed the `complete`. */
  complete(): Promise<void>;
}

export function openReusedId(watcher: Watcher, random: () => number): ReusedId {
  let send: Send = () => {};
  let generation = 0;
  let reuses = 0;
  /** The server has delivered something to the current generation, so it has processed the `complete` of all earlier ones. */
  let known = false;
  let completed = false;
  /** The server has processed the last `complete`. */
  let quiet = false;
  let closed = false;
  const silent = Promise.withResolvers<void>();

  const alias = (of: number) => `g${of % aliases}`;
  const subscribe = () => {
    generation += 1;
    known = false;
    const { roomId } = watcher.watch;
    const payload = {
      query: roomEvents(watcher.watch.selection, alias(generation)),
      variables: { roomId, after: watcher.request.variables.after },
    };
    return { id, type: 'subscribe', payload };
  };
  const again = (): object[] => {
    reuses += 1;
    return [complete, subscribe()];
  };
  const variants: readonly (() => unknown)[] = [
    () => send(...again()),
    () => send(...again(), ...again(), ...again()),
    () => again().forEach((message) => void send(message)),
    async () => {
      const [first, second] = again() as [object, object];
      send(first);
      await sleep(random() * 30);
      if (!completed) send(second);
    },
  ];

  const next = (payload: ExecutionResult<unknown, unknown>): NextStep => {
    const [[key, event] = []] = Object.entries(payload.data ?? {}) as [string, RoomEvent][];
    if (key === undefined || !event) return watcher.take({ ...payload, data: null });
    if (completed) {
      if (quiet) watcher.stray(event);
      return 'continue';
    }
    const isCurrent = key === alias(generation);
    // Events that were sent before the server processed the `complete` do not count.
    if (!isCurrent && !known) return 'continue';
    if (isCurrent) known = true;
    else watcher.stray(event);
    // A client that knows only the id would receive both.
    return watcher.take({ ...payload, data: { roomEvents: event } });
  };

  const run = async () => {
    while (!closed) {
      await sleep(random() * maxPauseMs);
      if (!completed && !watcher.ended) await pick(variants, random)();
    }
  };
  const stream = openBareSocket(watcher, {
    ready(sender) {
      send = sender;
      if (completed) return send(lastPing);
      const first = subscribe();
      if (random() < 0.5) send(first);
      else send(first, ...again());
    },
    next,
    pong(payload) {
      if (payload === undefined) return;
      quiet = true;
      silent.resolve();
    },
  });
  void run();
  return {
    ...stream,
    get reuses() {
      return reuses;
    },
    async complete() {
      watcher.stop();
      completed = true;
      send(complete, lastPing);
      await silent.promise;
    },
    close() {
      closed = true;
      silent.resolve();
      stream.close();
    },
  };
}
