// Upgrades while writers and watchers run: old and new nodes on one database, columns that are added under load, and entries
// of a type that only a newer version knows.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../tests/support/process.ts';
import { protocols } from '../clients/streams.ts';
import { currentMain, type RigNode } from '../rig/node.ts';
import { role } from '../rig/rig.ts';
import { caughtUp, fill, openWatchersIn } from './clients.ts';
import type { Fault } from './fault.ts';

/**
 * Replaces the nodes of the previous version one after the other, then goes back with some of them, and forward again. The
 * first new node migrates the database while the old ones serve. Only for as long as no migration contracts.
 */
export const rollingUpgrade = ({ mixedMs = 1500, back = 3 } = {}): Fault => ({
  name: 'a rolling upgrade, and back, and forward again',
  startsOnPreviousVersion: true,
  async inject({ rig: { nodes, previousMain } }) {
    if (previousMain === undefined) throw new Error('The rig was started without the previous version.');
    let moved = 0;
    const replaceAll = async (some: readonly RigNode[], main: string) => {
      for (const node of some) {
        if (node.launch.main === main) continue;
        moved += node.links.clients.open;
        await node.relaunch({ main });
        // Messages travel between the versions, both ways.
        await sleep(mixedMs);
      }
    };
    await replaceAll(nodes, currentMain);
    await replaceAll(nodes.slice(0, back), previousMain);
    await replaceAll(nodes, currentMain);
    return { figure: 'connections of clients that moved between the versions', count: moved };
  },
});

const tables = ['users', 'rooms', 'memberships', 'messages', 'room_log'];
/** A change that waits longer for its lock blocks everyone who comes after it. It is retried instead. */
const lockTimeout = '500ms';

/** Adds a column to every table. Connections that have prepared statements stay open. */
export const columnsAdded = ({ lastsMs = 4000 } = {}): Fault => ({
  name: 'a column added to every table',
  async inject({ rig }) {
    const backends = `select pid || ' ' || backend_start as backend from pg_stat_activity where usename = '${role.name}'`;
    const before = new Set((await rig.query(backends)).map(({ backend }) => backend));
    const column = `added_${randomUUID().slice(0, 8)}`;
    for (const table of tables) {
      await until(`${table} has another column`, () =>
        rig.query(`set lock_timeout = '${lockTimeout}'; alter table ${table} add column ${column} text default 'x'`).then(
          () => true,
          () => false,
        ),
      );
    }
    await sleep(lastsMs);
    const kept = (await rig.query(backends)).filter(({ backend }) => before.has(backend));
    return { figure: 'connections of nodes that were open before it and after it', count: kept.length };
  },
});

const appendUnknown = `with moved as (update rooms set head_seq = head_seq + 1, head_tag = $2 where id = $1 returning head_seq)
  insert into room_log (room_id, seq, tag, type, at) select $1, head_seq, $2, 'MessageStarred', clock_timestamp() from moved
  returning seq`;
const unknownTag = 20_261_127;
/** Longer than the interval of the head check. */
const unknownMs = 7000;

/**
 * An entry of a type that the nodes do not know, as a newer version would write it. No watcher may skip it: the streams of
 * the room end as when a node restarts, until the nodes know the type of the entry.
 */
export const entryOfNewerVersion = (): Fault => ({
  name: 'an entry of a type that only a newer version knows',
  async inject({ rig, crowd }) {
    const room = await crowd.createRoom('OPEN', []);
    const watchers = openWatchersIn(crowd, room, protocols.length * rig.nodes.length, protocols);
    await fill(crowd, room, 3);
    await caughtUp(watchers);
    const losses = watchers.map(({ watcher }) => watcher.losses);
    const [{ seq }] = await rig.query(appendUnknown, [room.id, unknownTag]);
    await sleep(unknownMs / 2);
    await fill(crowd, room, 3);
    await sleep(unknownMs / 2);
    const ended = watchers.filter(({ watcher }, i) => watcher.losses > (losses[i] as number));
    await rig.query(`update room_log set type = 'RoomUpdated' where room_id = $1 and seq = $2`, [room.id, seq]);
    await crowd.seen(watchers);
    crowd.leave(watchers);
    return { figure: `of ${watchers.length} streams that ended before the entry`, count: ended.length };
  },
});
