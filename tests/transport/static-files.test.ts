import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request as send } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Refusal } from '../../src/transport/refusal.ts';
import { answerFile, readHashedFiles, type StaticFile } from '../../src/transport/static-files.ts';
import { listenOn, until } from '../support/process.ts';
import { type Server, startServer } from '../support/server.ts';

interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Requests without decompressing the answer. */
async function ask(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> {
  const [response] = await once(send(url, { method, headers }).end(), 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

describe('files from memory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-files-'));
  const text = 'a line of text\n'.repeat(1000);
  let files: ReadonlyMap<string, StaticFile>;
  let url: string;
  const server = createServer((request, response) => {
    const file = files.get((request.url ?? '').slice(1));
    try {
      if (!file) throw new Refusal(404, 'There is no such file.');
      answerFile(request, response, file);
    } catch (error) {
      response.writeHead((error as Refusal).status).end();
    }
  });
  before(async () => {
    for (const [name, content] of Object.entries({ 'a.js': text, 'a.js.br': 'built', 'b.css': text, 'c.svg': '<svg/>', 'd.woff2': 'x' })) {
      writeFileSync(join(folder, name), content);
    }
    files = readHashedFiles(folder);
    url = `http://127.0.0.1:${await listenOn(server)}`;
  });
  after(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('have the type of their name, are cached for ever, and are not listed with their compressed forms', async () => {
    assert.deepEqual([...files.keys()].toSorted(), ['a.js', 'b.css', 'c.svg', 'd.woff2']);
    const types = await Promise.all(
      [...files.keys()].toSorted().map(async (name) => (await ask(`${url}/${name}`)).headers['content-type']),
    );
    assert.deepEqual(types, ['text/javascript; charset=utf-8', 'text/css; charset=utf-8', 'image/svg+xml; charset=utf-8', 'font/woff2']);
    assert.equal((await ask(`${url}/a.js`)).headers['cache-control'], 'public, max-age=31536000, immutable');
  });

  it('are sent in the compressed form of the build, or in one that is made at the start', async () => {
    assert.equal(String((await ask(`${url}/a.js`, { 'accept-encoding': 'gzip, deflate, br' })).body), 'built');
    await until('all forms are there', () => files.get('a.js')?.compressed.size === 2 && files.get('b.css')?.compressed.size === 2);
    const brotli = await ask(`${url}/b.css`, { 'accept-encoding': 'br' });
    const gzip = await ask(`${url}/b.css`, { 'accept-encoding': 'gzip;q=0.5' });
    assert.deepEqual([brotli.headers['content-encoding'], gzip.headers['content-encoding']], ['br', 'gzip']);
    assert.equal(String(brotliDecompressSync(brotli.body)), text);
    assert.equal(String(gunzipSync(gzip.body)), text);
    for (const encodings of ['identity', 'br;q=0, gzip;q=0', '', 'zstd']) {
      const plain = await ask(`${url}/b.css`, { 'accept-encoding': encodings });
      assert.deepEqual([plain.headers['content-encoding'], String(plain.body)], [undefined, text], encodings);
      assert.equal(plain.headers['vary'], 'accept-encoding');
    }
  });

  it('are not sent again to a client that has them', async () => {
    const { headers } = await ask(`${url}/b.css`);
    const etag = headers['etag'] as string;
    for (const known of [etag, etag.replace('W/', ''), `"other", ${etag}`, '*']) {
      const again = await ask(`${url}/b.css`, { 'if-none-match': known });
      assert.deepEqual([again.status, again.body.length, again.headers['etag']], [304, 0, etag], known);
      assert.match(again.headers['cache-control'] ?? '', /immutable/);
    }
    assert.equal((await ask(`${url}/b.css`, { 'if-none-match': 'W/"other"' })).status, 200);
  });

  it('answer HEAD without their content, and refuse other methods', async () => {
    const head = await ask(`${url}/b.css`, {}, 'HEAD');
    assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, String(text.length), 0]);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) assert.equal((await ask(`${url}/b.css`, {}, method)).status, 405);
  });

  it('do not change when they are built again', async () => {
    const before = await ask(`${url}/b.css`);
    rmSync(join(folder, 'a.js'));
    writeFileSync(join(folder, 'b.css'), 'new');
    assert.deepEqual((await ask(`${url}/b.css`)).body, before.body);
    assert.equal((await ask(`${url}/a.js`)).status, 200);
  });
});

describe('a client that pipelines requests for an asset and hangs up', () => {
  let server: Server;
  before(async () => {
    server = await startServer();
  });
  after(() => server[Symbol.asyncDispose]());

  it('leaves no file open, and the server serves the others', async () => {
    const { origin, port } = new URL(server.url);
    const [path] = /assets\/[^"]+\.js/.exec(await (await fetch(origin)).text()) ?? [];
    const openFiles = () => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    const request = `GET /${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    for (let round = 0; round < 40; round += 1) {
      const client = connect(Number(port), '127.0.0.1').on('error', () => {});
      client.write(request.repeat(20));
      await once(client, 'data');
      client.destroy();
    }
    await until('no file is open', () => openFiles() <= before + 5);
    assert.equal((await fetch(`${origin}/${path}`)).status, 200);
  });

  it('gets all answers if it reads them', async () => {
    const { origin, port } = new URL(server.url);
    const [path] = /assets\/[^"]+\.css/.exec(await (await fetch(origin)).text()) ?? [];
    const client = connect(Number(port), '127.0.0.1');
    let text = '';
    client.on('data', (chunk) => (text += chunk));
    client.write(`GET /${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(20));
    await until('all are answered', () => text.split('HTTP/1.1 200').length === 21);
    client.destroy();
  });

  it('is cut off if it pipelines more than a browser or proxy ever does', async () => {
    const client = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {});
    client.resume();
    client.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100));
    await once(client, 'close');
    assert.equal((await fetch(new URL('/health', server.url))).status, 200);
  });
});
