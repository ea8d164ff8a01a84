// PostgreSQL refuses connections or statements, for reasons that operators cause and repair. All of them are passing.

import { setTimeout as sleep } from 'node:timers/promises';
import { shuffle } from '../../tests/support/random.ts';
import { type Rig, role } from '../rig/rig.ts';
import { repeatedly, seconds } from './effect.ts';
import type { Fault } from './fault.ts';

interface Refusal {
  readonly name: string;
  /** The error that PostgreSQL answers and logs. */
  readonly sqlState: string;
  /** Makes PostgreSQL refuse for `lastsMs`, then undoes it. */
  refuse(rig: Rig, lastsMs: number): Promise<void>;
}

/** Refuses new connections, and terminates open ones. */
function atConnect(refuse: string, admit: string): Refusal['refuse'] {
  return async (rig, lastsMs) => {
    await rig.queryServer(refuse);
    try {
      await rig.terminateNodes();
      await sleep(lastsMs);
    } finally {
      await rig.queryServer(admit);
    }
  };
}

/** Refuses statements on connections that stay open. */
function atStatement(refuse: string, admit: string): Refusal['refuse'] {
  return async (rig, lastsMs) => {
    await rig.query(refuse);
    await sleep(lastsMs).finally(() => rig.query(admit));
  };
}

const away = `${role.name}_away`;

async function renameDatabase(rig: Rig, lastsMs: number): Promise<void> {
  // A database can be renamed only while nobody is connected to it, and the nodes reconnect at once.
  await rig.queryServer(`alter database ${role.name} allow_connections false`);
  await rig.queryServer(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${role.name}'`);
  await rig.queryServer(`alter database ${role.name} rename to ${away}`);
  await sleep(lastsMs);
  await rig.queryServer(`alter database ${away} rename to ${role.name}`);
  await rig.queryServer(`alter database ${role.name} allow_connections true`);
}

const cancelNodes = `select pg_cancel_backend(pid) from pg_stat_activity where usename = '${role.name}' and state = 'active'`;

const refusals: readonly Refusal[] = [
  {
    name: 'password changed',
    sqlState: '28P01',
    refuse: atConnect(`alter role ${role.name} password 'other'`, `alter role ${role.name} password '${role.password}'`),
  },
  { name: 'login revoked', sqlState: '28000', refuse: atConnect(`alter role ${role.name} nologin`, `alter role ${role.name} login`) },
  {
    name: 'connections not allowed',
    sqlState: '55000',
    refuse: atConnect(`alter database ${role.name} allow_connections false`, `alter database ${role.name} allow_connections true`),
  },
  {
    name: 'connection limit 0',
    sqlState: '53300',
    refuse: atConnect(`alter role ${role.name} connection limit 0`, `alter role ${role.name} connection limit -1`),
  },
  { name: 'database renamed', sqlState: '3D000', refuse: renameDatabase },
  {
    name: 'privileges revoked',
    sqlState: '42501',
    refuse: atStatement(
      `revoke all on messages, room_log, memberships from ${role.name}`,
      `grant all on messages, room_log, memberships to ${role.name}`,
    ),
  },
  {
    name: 'table of messages renamed',
    sqlState: '42P01',
    refuse: atStatement('alter table messages rename to messages_away', 'alter table messages_away rename to messages'),
  },
  {
    name: 'table of memberships renamed',
    sqlState: '42P01',
    refuse: atStatement('alter table memberships rename to memberships_away', 'alter table memberships_away rename to memberships'),
  },
  {
    name: 'column of the log renamed',
    sqlState: '42703',
    refuse: atStatement('alter table room_log rename column type to type_away', 'alter table room_log rename column type_away to type'),
  },
  {
    name: 'statements cancelled',
    sqlState: '57014',
    refuse: (rig, lastsMs) => repeatedly(lastsMs, 5, () => rig.queryServer(cancelNodes)),
  },
];

/** Between two of them, for the nodes to connect again. */
const pauseMs = 1000;

export const postgresRefusing = ({ eachMs = 2000 } = {}): Fault => ({
  name: `PostgreSQL refusing in ${refusals.length} ways, each for ${seconds(eachMs)}`,
  async inject({ rig, random }) {
    const counts: number[] = [];
    const figures: string[] = [];
    for (const { name, sqlState, refuse } of shuffle(refusals, random)) {
      const before = rig.postgres.output.length;
      await refuse(rig, eachMs);
      const count = rig.postgres.output.slice(before).split(`\n${sqlState} `).length - 1;
      counts.push(count);
      figures.push(`${name} ${count}`);
      await sleep(pauseMs);
    }
    return { figure: `refusals or more of each kind (${figures.join(', ')})`, count: Math.min(...counts) };
  },
});
