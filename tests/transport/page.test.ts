import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Config } from '../../src/config.ts';
import { openPages } from '../../src/transport/page.ts';
import { collectLog } from '../support/log.ts';
import { createPlace, type Server, silentLog, startServer } from '../support/server.ts';

const guests: Pick<Config, 'identity' | 'graphiql'> = { identity: { mode: 'guest' }, graphiql: true };

/** The compressed response, which fetch would decompress. */
const getCompressed = (url: string, encoding: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => get(url, { headers: { 'accept-encoding': encoding } }, resolve).once('error', reject));

describe('the page of the web chat', () => {
  let server: Server;
  let origin: string;
  before(async () => {
    server = await startServer();
    origin = new URL(server.url).origin;
  });
  after(() => server[Symbol.asyncDispose]());

  const page = () => fetch(origin);
  const script = async () => /src="\.(\/assets\/[^"]+\.js)"/.exec(await (await page()).text())?.[1] as string;

  it('is at /, is revalidated each time, and loads nothing from other hosts', async () => {
    const answer = await page();
    const html = await answer.text();
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'text/html; charset=utf-8']);
    assert.equal(answer.headers.get('cache-control'), 'no-cache');
    assert.match(answer.headers.get('content-security-policy') ?? '', /^default-src 'self';/);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    // Anything that its content security policy would block.
    assert.doesNotMatch(html, /<script>|<style|\son\w+=|style=|https?:\/\//);
  });

  it('has assets that are cached for ever and served compressed', async () => {
    const path = await script();
    for (const encoding of ['br', 'gzip']) {
      const { headers, statusCode } = (await getCompressed(origin + path, encoding)).resume();
      assert.deepEqual([statusCode, headers['content-encoding']], [200, encoding]);
      assert.match(headers['cache-control'] ?? '', /immutable/);
      assert.match(headers['content-type'] ?? '', /^text\/javascript/);
    }
  });

  it('is at most 150 KB of JavaScript, compressed', async () => {
    let bytes = 0;
    for await (const chunk of await getCompressed(origin + (await script()), 'gzip')) bytes += (chunk as Buffer).length;
    assert.ok(bytes > 0 && bytes <= 150_000, `${bytes} bytes`);
  });

  it('knows how users sign in', async () => {
    assert.match(await (await page()).text(), /data-identity="guest"/);
    await using place = await createPlace('PGlite');
    await using hosted = await startServer({
      env: { ...place.env, IDENTITY: 'jwt', JWT_SECRET: 'a secret that is long enough for HS256' },
    });
    assert.match(await (await fetch(new URL('/', hosted.url))).text(), /data-identity="jwt"/);
  });

  it('serves no other files', async () => {
    for (const path of [
      '/assets/',
      '/assets/nothing.js',
      '/assets/..%2findex.html',
      '/assets/../index.html',
      '/assets//index.html',
      '/assets/__proto__',
      '/assets/%2e%2e%2f%2e%2e%2fsources',
      '/index.html',
      '/graphiql.html',
      '/assets',
    ]) {
      const { status } = await fetch(origin + path);
      assert.equal(status, 404, path);
    }
  });

  it('is left out with a warning if it is not built', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gapless-page-'));
    const { log, lines } = collectLog();
    assert.equal(openPages(guests, log, join(folder, 'web')), undefined);
    assert.match(JSON.stringify(lines), /npm run build/);
    assert.equal(openPages(guests, silentLog, folder), undefined);
    rmSync(folder, { recursive: true });
  });
});
