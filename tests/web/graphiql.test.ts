// GraphiQL in a browser: it works under its content security policy, and its scripts are loaded once.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { until } from '../support/process.ts';
import { type Server, startServer } from '../support/server.ts';

describe('GraphiQL', { timeout: 180_000 }, () => {
  let browser: Browser;
  let server: Server;
  before(async () => {
    [browser, server] = await Promise.all([openBrowser(), startServer({ env: { BASE_PATH: '/chat' } })]);
  });
  after(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
  });

  const ready = (page: Page) => page.getByRole('button', { name: /Execute query/ }).waitFor({ timeout: 60_000 });

  /** Opens GraphiQL, and returns the bytes that were transferred, by the name of the file. */
  async function visit(context: BrowserContext): Promise<{ page: Page; transferred: Map<string, number>; problems: string[] }> {
    const page = await context.newPage();
    const transferred = new Map<string, number>();
    const problems: string[] = [];
    page.on('console', (message) => /content.security.policy/i.test(message.text()) && problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(`${new URL(server.url).origin}/chat/`)) problems.push(request.url().slice(0, 100));
    });
    const devTools = await context.newCDPSession(page);
    await devTools.send('Network.enable');
    const names = new Map<string, string>();
    devTools.on('Network.responseReceived', ({ requestId, response }) => names.set(requestId, new URL(response.url).pathname));
    devTools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      const name = names.get(requestId);
      if (name !== undefined) transferred.set(name, (transferred.get(name) ?? 0) + encodedDataLength);
    });
    await page.goto(server.url);
    await ready(page);
    return { page, transferred, problems };
  }

  it('signs in, runs an operation, and completes what is typed, without a violation of its policy', async () => {
    const context = await browser.newContext({ locale: 'en-GB' });
    const { page, problems } = await visit(context);
    await page.getByRole('button', { name: /Execute query/ }).click();
    await until('the answer is shown', async () => /"name":\s"Ada"/.test(await page.locator('.result-window').innerText()));
    const [cookie] = await context.cookies(server.url);
    assert.equal(cookie?.path, '/chat');
    const editor = page.locator('.graphiql-query-editor .monaco-editor').first();
    await editor.click();
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('{ view');
    await page.locator('.suggest-widget').getByText('viewer').first().waitFor({ timeout: 30_000 });
    assert.deepEqual(problems, []);
    await context.close();
  });

  it('transfers its scripts compressed, once', async () => {
    const context = await browser.newContext({ locale: 'en-GB' });
    const first = await visit(context);
    const sizeOf = ({ transferred }: typeof first) =>
      [...transferred].filter(([name]) => /\.(js|css)$/.test(name)).reduce((sum, [, bytes]) => sum + bytes, 0);
    assert.ok(sizeOf(first) > 100_000 && sizeOf(first) < 2_500_000, `${sizeOf(first)} bytes`);
    const second = await visit(context);
    assert.equal(sizeOf(second), 0, JSON.stringify([...second.transferred]));
    await context.close();
  });
});
