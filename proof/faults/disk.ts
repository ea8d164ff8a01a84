// Disks of PostgreSQL that are full. A small disk first replaces the real one: a tmpfs, which needs root.

import {
  chmodSync,
  chownSync,
  closeSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Postgres } from '../../tests/support/postgres.ts';
import { run, until } from '../../tests/support/process.ts';
import type { Rig } from '../rig/rig.ts';
import { seconds } from './effect.ts';
import type { Fault } from './fault.ts';

const megabyte = 1024 * 1024;
/** Free space on the small disk before it is filled, in addition to what is moved there. A file of the log has 16 MB. */
const spareMegabytes = 64;
/** The tables that grow with every message. */
const growing = ['room_log', 'messages'];

/** The tables that grow with every message cannot grow: PostgreSQL answers 53100, and everything else works. */
export const dataDiskFull = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `the disk of PostgreSQL's tables full for ${seconds(lastsMs)}`,
  async inject({ rig }) {
    const [{ size }] = await rig.query(`select sum(pg_table_size(name::regclass))::float8 as size from unnest($1::text[]) as name`, [
      growing,
    ]);
    await using disk = await SmallDisk.mount(rig.postgres, Math.ceil(size / megabyte) + spareMegabytes);
    await rig.query(`create tablespace small location '${disk.folder}'`);
    try {
      await moveTables(rig, 'small');
      disk.fill();
      await useUpPages(rig);
      const before = timesFull(rig.postgres);
      await sleep(lastsMs);
      return { figure: 'times that PostgreSQL found no space', count: timesFull(rig.postgres) - before };
    } finally {
      disk.empty();
      await moveTables(rig, 'pg_default');
      await rig.query('drop tablespace small');
    }
  },
});

/** PostgreSQL cannot write its log, and panics. Once there is space it recovers, by itself or when started again. */
export const walDiskFull = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `the disk of PostgreSQL's log full for ${seconds(lastsMs)}`,
  async inject({ rig }) {
    const { postgres } = rig;
    const wal = join(postgres.data, 'pg_wal');
    const aside = join(postgres.data, '..', 'pg_wal');
    await postgres.stop();
    const size = Number((await run('du', ['-sm', wal])).split('\t')[0]);
    await using disk = await SmallDisk.mount(postgres, size + spareMegabytes);
    await run('cp', ['-a', `${wal}/.`, disk.folder]);
    renameSync(wal, aside);
    symlinkSync(disk.folder, wal);
    await postgres.start();
    const before = timesFull(postgres);
    disk.fill();
    await useUpLog(rig);
    await sleep(lastsMs);
    const count = timesFull(postgres) - before;
    disk.empty();
    if (!(await recovers(rig))) await postgres.start();
    // Back to the real disk, with the current content of the small one.
    await postgres.stop();
    rmSync(aside, { recursive: true });
    rmSync(wal);
    await run('cp', ['-a', disk.folder, wal]);
    await postgres.start();
    return { figure: 'times that PostgreSQL found no space', count };
  },
});

/** A tmpfs that belongs to PostgreSQL. */
class SmallDisk implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async mount({ data }: Postgres, megabytes: number): Promise<SmallDisk> {
    const folder = mkdtempSync(join(tmpdir(), 'gapless-disk-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
    const { uid, gid } = statSync(data);
    chownSync(folder, uid, gid);
    chmodSync(folder, 0o700);
    return new SmallDisk(folder);
  }

  /** Fills the last page. */
  fill(): void {
    const file = openSync(this.#ballast, 'w');
    for (const piece of [Buffer.alloc(megabyte), Buffer.alloc(4096)]) {
      try {
        while (writeSync(file, piece) > 0);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
    closeSync(file);
  }

  empty(): void {
    rmSync(this.#ballast, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.folder]);
    rmdirSync(this.folder);
  }

  get #ballast(): string {
    return join(this.folder, 'ballast');
  }
}

// One table and one lock at a time, because a transaction that writes messages locks both.
async function moveTables(rig: Rig, tablespace: string): Promise<void> {
  for (const table of growing) await rig.query(`alter table ${table} set tablespace ${tablespace}`);
}

/** Fills the pages that the log has already: rows of a transaction that is rolled back stay in them. */
async function useUpPages(rig: Rig): Promise<void> {
  const rows = `select room_id, seq + (1::bigint << i) * 1000000, tag, 'RoomUpdated', at from room_log`;
  try {
    await rig.query(`do $$ begin for i in 0..30 loop insert into room_log (room_id, seq, tag, type, at) ${rows}; end loop; end $$`);
  } catch {}
}

const timesFull = ({ output }: Postgres) => output.split('No space left on device').length - 1;

/** Makes PostgreSQL begin one file of the log after another, until there is no space and the server ends. */
async function useUpLog(rig: Rig): Promise<void> {
  try {
    for (;;) await rig.query(`select pg_logical_emit_message(false, 'rig', ''), pg_switch_wal()`);
  } catch {}
}

/** Whether the server recovers by itself. False if it has ended. */
async function recovers(rig: Rig): Promise<boolean> {
  const answers = () =>
    rig.query('select').then(
      () => true,
      () => false,
    );
  await until('PostgreSQL has recovered or ended', async () => !rig.postgres.running || (await answers()), 60_000);
  return rig.postgres.running;
}
