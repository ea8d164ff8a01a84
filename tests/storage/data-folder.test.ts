// A data folder that cannot be used: one sentence that names the setting, and nothing is written into what belongs to others.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, describe, it } from 'node:test';
import { ConfigError } from '../../src/config.ts';
import { databaseIn, pgliteVersion } from '../../src/storage/data-folder.ts';
import { openStorage } from '../../src/storage/database.ts';
import { createDataFolder } from '../support/data-template.ts';
import { silentLog } from '../support/server.ts';

/** A user without rights, as whom a test runs that needs one. */
const nobody = 65_534;
const isRoot = process.getuid?.() === 0;

describe('a data folder', { timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-folder-'));
  const created: string[] = [folder];
  after(() => {
    for (const each of created) rmSync(each, { recursive: true, force: true });
  });
  const create = (name: string) => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  /** A folder with a database, which the test may damage. */
  const createUsed = () => {
    const path = createDataFolder();
    created.push(path);
    return path;
  };
  async function requireRefused(dataDir: string, reason: RegExp): Promise<void> {
    await assert.rejects(openStorage({ dataDir }, silentLog), (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, /^DATA_DIR \/[^\n]+ cannot be used: [^\n]+\.$/);
      assert.match(error.message, reason);
      return true;
    });
  }

  it('is refused where it is a file, or below one', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await requireRefused(file, /it is a file: name a folder/);
    await requireRefused(join(file, 'data'), /a part of the path is a file/);
  });

  it('is refused where no folder can be created', async () => {
    await requireRefused('/proc/gapless/data', /no folder can be created there/);
    const link = join(folder, 'dangling');
    symlinkSync(join(folder, 'nowhere'), link);
    await requireRefused(link, /it is a link that leads nowhere/);
    await requireRefused(join(link, 'data'), /it is a link that leads nowhere/);
    await requireRefused(join(folder, 'x'.repeat(300)), /its name is too long/);
  });

  it('is named in full, whatever the working directory is', async () => {
    const file = join(folder, 'relative');
    writeFileSync(file, '');
    await requireRefused(relative(process.cwd(), file), new RegExp(`^DATA_DIR ${file} `));
  });

  it('is refused if this user may not write to it', async () => {
    const path = create('locked');
    chmodSync(path, 0o555);
    chmodSync(folder, 0o755);
    if (isRoot) process.seteuid?.(nobody);
    try {
      await requireRefused(path, /this user may not write to it/);
      await requireRefused(join(path, 'data'), /this user may not write to it/);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('is refused if it belongs to a PostgreSQL server, or its files to others, which stay as they are', async () => {
    const server = create('server');
    writeFileSync(join(server, 'PG_VERSION'), '17\n');
    await requireRefused(server, /belongs to a PostgreSQL server/);
    assert.deepEqual(readdirSync(server), ['PG_VERSION']);

    const foreign = create('foreign');
    mkdirSync(databaseIn(foreign));
    writeFileSync(join(databaseIn(foreign), 'notes.txt'), 'mine');
    await requireRefused(foreign, /its folder pglite is not one of Gapless/);
    assert.deepEqual(readdirSync(foreign), ['pglite']);

    const file = create('file-in-it');
    writeFileSync(databaseIn(file), '');
    await requireRefused(file, /pglite in it is a file/);

    const lock = create('lock');
    writeFileSync(join(lock, 'lock'), 'x'.repeat(4096));
    await requireRefused(lock, /its file lock is not one of Gapless/);
  });

  it('begins anew if the creation of its database was interrupted, and only then', async () => {
    const path = create('interrupted');
    const creation = `${databaseIn(path)}.creating`;
    writeFileSync(creation, '');
    mkdirSync(databaseIn(path));
    writeFileSync(join(databaseIn(path), 'part'), '');
    await (await openStorage({ dataDir: path }, silentLog))[Symbol.asyncDispose]();
    assert.ok(!existsSync(creation));
    assert.ok(!existsSync(join(databaseIn(path), 'part')));
    writeFileSync(join(databaseIn(path), 'kept'), '');
    await (await openStorage({ dataDir: path }, silentLog))[Symbol.asyncDispose]();
    assert.ok(existsSync(join(databaseIn(path), 'kept')));
  });

  it('has the format that this version reads, and is refused in any other', async () => {
    const used = createUsed();
    assert.equal(readFileSync(join(databaseIn(used), 'PG_VERSION'), 'utf8').trim(), pgliteVersion);
    writeFileSync(join(databaseIn(used), 'PG_VERSION'), '15\n');
    await requireRefused(used, /has the format of PostgreSQL 15/);
  });

  it('is refused if it is damaged', async () => {
    const used = createUsed();
    truncateSync(join(databaseIn(used), 'global', 'pg_control'), 100);
    await requireRefused(used, /the database in it is damaged \(.*\): restore a backup of the folder, or remove \//);
  });

  it('is refused if its disk is full', async (test) => {
    const small = create('small');
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      return test.skip('this user may not mount a small disk');
    }
    try {
      await requireRefused(join(small, 'new'), /its disk is full: \d+ MiB are free/);
      cpSync(createUsed(), join(small, 'used'), { recursive: true });
      const free = Number(
        execFileSync('stat', ['-f', '-c', '%a * %S', small])
          .toString()
          .split(' * ')
          .reduce((a, b) => String(Number(a) * Number(b))),
      );
      writeFileSync(join(small, 'filler'), Buffer.alloc(free));
      await requireRefused(join(small, 'used'), /its disk is full: 0 MiB are free/);
    } finally {
      execFileSync('umount', ['-l', small]);
    }
  });
});
