// Clients that reuse the id of a subscription at once after `complete`, which graphql-transport-ws allows.

import { setTimeout as sleep } from 'node:timers/promises';
import { pick } from '../../tests/support/random.ts';
import type { Room } from '../clients/final-state.ts';
import { openReusedId, type ReusedId } from '../clients/stream-reused-id.ts';
import type { Watcher } from '../clients/watcher.ts';
import { seconds } from './effect.ts';
import type { Fault } from './fault.ts';

/** While the database is slow, a subscription is completed before it is open. */
const slowDatabase = { delayMs: 50, jitterMs: 250 };
/** How long the crowd writes after the last `complete`. A stream that continues would deliver something. */
const quietMs = 1500;
const catchUpMs = 60_000;

export const subscriptionIdReused = ({ clients = 15, lastsMs = 8000 } = {}): Fault => ({
  name: `the id of a subscription reused for ${seconds(lastsMs)}`,
  async inject({ rig, crowd, random }) {
    const streams: ReusedId[] = [];
    const open = (watcher: Watcher) => {
      const stream = openReusedId(watcher, random);
      streams.push(stream);
      return stream;
    };
    const watchers = Array.from({ length: clients }, (_, node) => {
      const room = pick(crowd.busyRooms, random) as Room;
      const selection = node % 3 === 0 ? 'own' : 'shared';
      return crowd.watch(room, crowd.owner, { protocol: 'websocket', node, after: crowd.cursorOf(room), selection, open });
    });
    await sleep(lastsMs / 2);
    for (const { links } of rig.nodes) links.postgres.impair(slowDatabase);
    await sleep(lastsMs / 2);
    for (const { links } of rig.nodes) links.postgres.heal();
    await crowd.seen(watchers, catchUpMs);
    await Promise.all(streams.map((stream) => stream.complete()));
    await sleep(quietMs);
    crowd.leave(watchers);
    return { figure: 'times that an id was reused', count: streams.reduce((sum, { reuses }) => sum + reuses, 0) };
  },
});
