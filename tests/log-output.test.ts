// The log has a reader, such as `tee`, that may end or stop before the server does.

import assert from 'node:assert/strict';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { LogOutput } from '../src/log-output.ts';
import { programEnv } from './support/node.ts';
import { freePort, run, start, until } from './support/process.ts';
import { createPlace, Guest } from './support/server.ts';

const main = join(import.meta.dirname, '../src/main.js');

/** A server whose stdout is a pipe to another process. */
async function startPiped() {
  await using opened = new AsyncDisposableStack();
  const place = opened.use(await createPlace('PostgreSQL'));
  const folder = mkdtempSync(join(tmpdir(), 'gapless-log-'));
  opened.defer(() => rmSync(folder, { recursive: true }));
  const pipe = join(folder, 'pipe');
  await run('mkfifo', [pipe]);
  const reader = start('cat', [pipe]);
  opened.defer(async () => void (await reader.stop('SIGKILL')));
  const output = openSync(pipe, 'w');
  const port = await freePort();
  const env = programEnv({ PORT: String(port), ...place.env });
  const server = start(process.execPath, [main], { env, stdio: ['ignore', output, 'pipe'] });
  opened.defer(async () => void (await server.stop('SIGKILL')));
  closeSync(output);
  const url = `http://127.0.0.1:${port}/graphql`;
  await until('the server listens', () => reader.output().includes('Gapless is listening'), 60_000);
  const toClose = opened.move();
  return { pipe, reader, server, url, [Symbol.asyncDispose]: () => toClose.disposeAsync() };
}

/** Writes to the pipe until not a byte fits. */
function fill(pipe: string): void {
  const fd = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  for (const size of [4096, 1]) {
    assert.throws(
      () => {
        for (;;) writeSync(fd, 'x'.repeat(size));
      },
      { code: 'EAGAIN' },
    );
  }
  closeSync(fd);
}

describe('a server', { timeout: 120_000 }, () => {
  /** Serves, and ends when it is told to. */
  async function servesUntilTold({ server, url }: Awaited<ReturnType<typeof startPiped>>): Promise<void> {
    await Guest.signIn(url);
    const ended = await Promise.race([server.stop('SIGINT'), new Promise((resolve) => setTimeout(resolve, 20_000, 'still running'))]);
    assert.equal(ended, 0, server.output());
  }

  it('serves on and ends when it is told to, although the reader of its log is gone', async () => {
    await using piped = await startPiped();
    await piped.reader.stop('SIGKILL');
    await servesUntilTold(piped);
  });

  it('serves on and ends when it is told to, although the reader of its log has stopped and the pipe is full', async () => {
    await using piped = await startPiped();
    piped.reader.child.kill('SIGSTOP');
    fill(piped.pipe);
    await servesUntilTold(piped);
  });

  it('ends when the reader of its log gets the same SIGINT, as at a terminal', async () => {
    await using piped = await startPiped();
    piped.reader.child.kill('SIGINT');
    await servesUntilTold(piped);
  });
});

describe('the output of the log', () => {
  it('drops lines while too much waits, and says how many as soon as it is read again', async () => {
    const written: string[] = [];
    let release = () => {};
    const stream = new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        written.push(String(chunk));
        release = done;
      },
    });
    const output = new LogOutput(stream);
    const line = `${'x'.repeat(1023)}\n`;
    for (let i = 0; i < 2000; i += 1) output.write(line);
    assert.ok(stream.writableLength < 1.1 * 1024 * 1024);
    const kept = Math.ceil(stream.writableLength / line.length);
    while (stream.writableLength > 0) release();
    output.write('last\n');
    release();
    assert.equal(written.at(-1), 'last\n');
    assert.equal(JSON.parse(written.at(-2) as string).lines, 2000 - kept);
  });

  it('loses only the lines that could not be written', async () => {
    const written: string[] = [];
    const stream = new Writable({
      autoDestroy: false,
      emitClose: false,
      write(chunk, _encoding, done) {
        const isFull = String(chunk) === 'lost\n';
        if (!isFull) written.push(String(chunk));
        done(isFull ? Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }) : null);
      },
    });
    const output = new LogOutput(stream);
    for (const line of ['first\n', 'lost\n']) output.write(line);
    await output.flush();
    assert.deepEqual(written.filter(Boolean), ['first\n']);
  });
});
