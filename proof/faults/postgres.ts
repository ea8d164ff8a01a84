// Failures of PostgreSQL. A send succeeds, or fails within 5 s with UNAVAILABLE and is retried with its key.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pick } from '../../tests/support/random.ts';
import { freeze, killAll, thaw } from '../rig/processes.ts';
import type { Rig } from '../rig/rig.ts';
import { countEffect, repeatedly, seconds } from './effect.ts';
import type { Fault } from './fault.ts';

export const postgresBackendsTerminated = ({ lastsMs = 20_000, everyMs = 2000 } = {}): Fault => ({
  name: `all backends of PostgreSQL terminated every ${seconds(everyMs)}`,
  async inject({ rig }) {
    let terminated = 0;
    await repeatedly(lastsMs, everyMs, async () => {
      terminated += await rig.terminateNodes();
    });
    return { figure: 'backends that were terminated', count: terminated };
  },
});

/** What was not flushed is lost. PostgreSQL recovers from its write-ahead log. */
export const postgresKilled = ({ downMs = 3000 } = {}): Fault => ({
  name: `PostgreSQL killed, and recovered after ${seconds(downMs)}`,
  inject: (context) =>
    countEffect(context, 'connections of nodes that found no PostgreSQL', ['links.postgres.targetRefused'], async () => {
      const { postgres } = context.rig;
      await killAll(postgres.pid);
      await sleep(downMs).finally(() => postgres.start());
    }),
});

/**
 * As by `pg_ctl stop -m fast`, under load. Connecting over a Unix socket then fails with ENOENT, not with ECONNREFUSED as
 * over TCP.
 */
export const postgresStopped = ({ times = 3, downMs = 2000 } = {}): Fault => ({
  name: `PostgreSQL stopped ${times} times for ${seconds(downMs)}, nodes on its Unix socket`,
  async inject({ rig, crowd }) {
    await Promise.all(rig.nodes.map((node) => node.relaunch({ unixSocket: true })));
    const { rate } = crowd;
    const before = crowd.outbox.refused;
    for (let time = 0; time < times; time += 1) {
      await sleep(settleMs);
      crowd.rate = burstRate;
      await sleep(burstMs);
      await rig.postgres.stop('SIGINT');
      crowd.rate = rate;
      await sleep(downMs).finally(() => rig.postgres.start());
    }
    const count = crowd.outbox.refused - before;
    await sleep(settleMs);
    await Promise.all(rig.nodes.map((node) => node.relaunch({ unixSocket: false })));
    return { figure: 'sends that were refused during it', count };
  },
});
/** For watchers to come back after a start of the nodes or of PostgreSQL. */
const settleMs = 2000;
/** Messages a second, so that events are being executed when PostgreSQL stops. */
const burstRate = 400;
const burstMs = 500;

const reconnected = ['links.postgres.connections'];

export const postgresSilent = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `PostgreSQL silent for ${seconds(lastsMs)}`,
  inject: (context) =>
    countEffect(context, 'connections that nodes opened to replace silent ones', reconnected, async () => {
      const { pid } = context.rig.postgres;
      freeze(pid);
      await sleep(lastsMs).finally(() => thaw(pid));
    }),
});

/** PostgreSQL keeps running, and keeps the locks of the node whose connection is cut. */
export const nodeCutOffFromPostgres = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `one node cut off from PostgreSQL for ${seconds(lastsMs)}`,
  async inject(context) {
    const { postgres } = pick(context.rig.nodes, context.random).links;
    const before = postgres.counts.droppedBytes;
    postgres.impair({ droppingAll: true });
    await sleep(lastsMs);
    postgres.heal();
    return { figure: 'bytes that were lost on the way', count: postgres.counts.droppedBytes - before };
  },
});

/** Others take every connection, including those of the nodes. */
export const postgresConnectionsExhausted = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `connections of PostgreSQL exhausted for ${seconds(lastsMs)}`,
  inject: (context) =>
    countEffect(context, 'connections that nodes failed to open', reconnected, async () => {
      const { rig } = context;
      const holders: pg.Client[] = [];
      try {
        do await takeAll(rig, holders);
        while ((await rig.terminateNodes()) > 0);
        await sleep(lastsMs);
      } finally {
        await Promise.all(holders.map((holder) => holder.end()));
      }
    }),
});

/** Sends to that room wait. Other rooms must not. */
export const roomLocked = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `a room locked for ${seconds(lastsMs)}`,
  async inject({ rig, crowd, random }) {
    const { id } = pick(crowd.busyRooms, random);
    const waited = new Set<string>();
    let silenceMs = 0;
    const holder = await rig.connectPostgres();
    try {
      await holder.query('begin');
      await holder.query('select from rooms where id = $1 for update', [id]);
      await repeatedly(lastsMs, 100, async () => {
        for (const { pid, since } of await rig.query(waiting)) waited.add(`${pid} ${since}`);
        const [newest] = await rig.query(newestElsewhere, [id]);
        silenceMs = Math.max(silenceMs, newest.ago_ms);
      });
    } finally {
      await holder.end();
    }
    const others = `the other rooms were never silent for longer than ${Math.round(silenceMs)} ms`;
    return { figure: `transactions that waited for it, while ${others}`, count: waited.size };
  },
});

/** The commit succeeds, but its answer is lost: a retry must find what it wrote. */
export const commitAnswersLost = ({ lastsMs = 10_000, share = 0.1 } = {}): Fault => ({
  name: `the answer to every ${Math.round(1 / share)}th commit lost for ${seconds(lastsMs)}`,
  inject: (context) =>
    countEffect(context, 'answers to commits that were lost', ['links.postgres.answersLost'], async () => {
      const { rig, random } = context;
      // A statement of its own, which no body of a message can be; or the prepared statement of sends, a transaction in itself.
      const commits = (request: Buffer) => request.includes('commit\0') || request.includes('\0sends\0');
      const dropsAnswerTo = (request: Buffer) => commits(request) && random() < share;
      for (const { links } of rig.nodes) links.postgres.impair({ dropsAnswerTo });
      await sleep(lastsMs);
      for (const { links } of rig.nodes) links.postgres.heal();
    }),
});

const waiting = `select pid, xact_start::text as since from pg_stat_activity
  where wait_event_type = 'Lock' and datname = current_database()`;

/** The age of the newest entry of any other room. */
const newestElsewhere = `select (extract(epoch from clock_timestamp() - max(at)) * 1000)::float8 as ago_ms
  from rooms join room_log on room_id = id and seq = head_seq where id <> $1`;

/** Opens connections with the role of the nodes until there is none left. */
async function takeAll(rig: Rig, holders: pg.Client[]): Promise<void> {
  for (;;) {
    const holder = new pg.Client({ connectionString: rig.databaseUrl, application_name: 'holder' });
    holder.on('error', () => {});
    try {
      await holder.connect();
    } catch (error) {
      if ((error as pg.DatabaseError).code === '53300') return;
      throw error;
    }
    holders.push(holder);
  }
}
