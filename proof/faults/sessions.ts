// Guests who sign out while they watch on every node: nothing that is sent after that reaches them, and the others miss nothing.

import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../tests/support/process.ts';
import type { OpenWatcher } from '../clients/crowd.ts';
import type { Room } from '../clients/final-state.ts';
import type { Protocol } from '../clients/streams.ts';
import { caughtUp, openWatchersIn } from './clients.ts';
import type { Fault, FaultContext } from './fault.ts';

/** A sign-out reaches every node within this time: by Redis, or by the head check. */
const withRedisMs = 1000;
const withoutRedisMs = 6000;
/** How long the crowd writes after the bound. */
const quietMs = 1500;
/** Heads are checked every 5 s until the silence of Redis is noticed. */
const maxDelayMs = 7000;
/** The clients of these end when their token is refused. */
const ending: readonly Protocol[] = ['kit-ws', 'graphql-sse', 'kit-sse'];

/** What happens to Redis while guests sign out. */
const impairments = {
  there: { name: 'guests sign out', withinMs: withRedisMs, impair: async () => {}, heal: async () => {} },
  killed: {
    name: 'guests sign out while Redis is killed',
    withinMs: withoutRedisMs,
    impair: async ({ rig }: FaultContext) => void (await rig.redis.stop('SIGKILL')),
    heal: ({ rig }: FaultContext) => rig.redis.start(),
  },
  silent: {
    name: 'guests sign out while Redis is silent',
    withinMs: withoutRedisMs,
    impair: async ({ rig }: FaultContext) => rig.redis.signal('SIGSTOP'),
    heal: async ({ rig }: FaultContext) => rig.redis.signal('SIGCONT'),
  },
};

export function guestsSignOut(redis: keyof typeof impairments, { guests = 6, watchersEach = 9 } = {}): Fault {
  const { name, withinMs, impair, heal } = impairments[redis];
  return {
    name,
    maxDelayMs,
    async inject(context) {
      const { crowd } = context;
      const room = crowd.busyRooms[0] as Room;
      const leaving = await crowd.signIn(guests);
      const ofLeaving = leaving.flatMap((guest) =>
        Array.from({ length: watchersEach }, (_, i): OpenWatcher => {
          const protocol = ending[i % ending.length] as Protocol;
          return crowd.watch(room, guest, { protocol, node: Math.floor(i / ending.length), after: crowd.cursorOf(room) });
        }),
      );
      const staying = openWatchersIn(crowd, room, ending.length, ending, crowd.cursorOf(room));
      await caughtUp([...ofLeaving, ...staying]);
      await impair(context);
      try {
        // Before a silent Redis is noticed, and one after the other, each through another node.
        for (const [node, guest] of leaving.entries()) await crowd.signOut(guest, node % crowd.urls.length, withinMs);
        await sleep(withinMs + quietMs);
      } finally {
        await heal(context);
      }
      await until('the streams of those who signed out have ended', () => ofLeaving.every(({ watcher }) => watcher.ended !== undefined));
      await crowd.seen(staying);
      // The crowd goes on writing into their room.
      for (const { watcher } of staying) watcher.stop();
      const ended = ofLeaving.filter(({ watcher }) => watcher.ended === 'error').length;
      crowd.leave([...ofLeaving, ...staying]);
      return { figure: 'streams that a sign-out ended', count: ended };
    },
  };
}
