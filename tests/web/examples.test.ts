// The examples, built unchanged by a bundler and run in a browser against a server of another origin.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import sirv from 'sirv';
import { build } from 'vite';
import { Link } from '../../proof/rig/link.ts';
import { openBrowser } from '../support/browser.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, startServer } from '../support/server.ts';

const root = join(import.meta.dirname, '../..');

/** Builds an example and serves it from its own origin. */
async function serveExample(name: string) {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-example-'));
  await build({
    root: join(root, 'examples', name),
    configFile: false,
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  });
  const files = sirv(folder);
  const server = createServer((request, response) => files(request, response)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

for (const name of ['urql', 'apollo']) {
  it(`the example for ${name} shows new messages, and those that were missed while the connection was down`, {
    timeout: 120_000,
  }, async () => {
    await using example = await serveExample(name);
    await using place = await createPlace('PGlite');
    await using server = await startServer({ env: { ...place.env, ALLOWED_ORIGINS: example.origin } });
    await using link = await Link.open({ port: Number(new URL(server.url).port) });
    const ada = await Guest.signIn(server.url);
    const room = await ada.createRoom({ name: 'Examples' });
    await ada.send(room, 'Said before.');
    const browser = await openBrowser();
    try {
      const page = await browser.newPage();
      const address = new URLSearchParams({ server: `127.0.0.1:${link.port}`, token: ada.token, room });
      await page.goto(`${example.origin}/?${address}`);
      const items = page.getByRole('listitem');
      const shown = async () => (await items.allInnerTexts()).map((text) => text.replace(/^Ada\s*/, ''));
      await until('the page shows the first message', async () => (await shown()).length === 1);
      await page.getByRole('textbox', { name: 'Message' }).fill('Said here.');
      await page.getByRole('button', { name: 'Send' }).click();
      await until('the message is shown', async () => (await shown()).length === 2);
      link.impair({ refusing: true });
      link.reset();
      await ada.send(room, 'Missed one.');
      await ada.send(room, 'Missed two.');
      await page.getByRole('textbox', { name: 'Message' }).fill('Written without a connection.');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByText('Not sent').waitFor();
      link.heal();
      await until('the missed messages are shown', async () => (await shown()).length === 4, 40_000);
      await page.getByRole('button', { name: 'Send' }).click();
      await until('the message that was written offline is shown', async () => (await shown()).length === 5);
      assert.deepEqual(await shown(), ['Said before.', 'Said here.', 'Missed one.', 'Missed two.', 'Written without a connection.']);
    } finally {
      await browser.close();
    }
  });
}
