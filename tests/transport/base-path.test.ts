import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { Person } from '../support/person.ts';
import { Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';

describe('a server under a path', { timeout: 120_000 }, () => {
  let server: Server;
  let origin: string;
  before(async () => {
    server = await startServer({ env: { BASE_PATH: '/chat' } });
    ({ origin } = new URL(server.url));
  });
  after(() => server[Symbol.asyncDispose]());

  it('has everything below it, and nothing outside of it', async () => {
    assert.equal(server.app.url, `${origin}/chat`);
    const [asset] = /assets\/[^"]+\.js/.exec(await (await fetch(`${origin}/chat/`)).text()) ?? [];
    for (const path of ['/', `/${asset}`, '/graphql?query={__typename}', '/health', '/ready', '/ready/database']) {
      assert.equal((await fetch(`${origin}/chat${path}`)).status, 200, path);
      assert.equal((await fetch(origin + path)).status, 404, path);
    }
    for (const path of ['/chatter', '/chat/chat/', '/cha', '/CHAT/']) assert.equal((await fetch(origin + path)).status, 404, path);
    const outside = (await (await fetch(`${origin}/graphql`)).json()) as { errors: { message: string }[] };
    assert.match(outside.errors[0]?.message ?? '', /\/chat\//);
  });

  it('leads to its page, whose addresses are relative', async () => {
    for (const path of ['/chat', '/chat?x=1']) {
      const answer = await fetch(origin + path, { redirect: 'manual' });
      assert.deepEqual([answer.status, answer.headers.get('location')], [308, '/chat/']);
    }
  });

  it('has its WebSockets and its cookie there', async () => {
    const ada = await Guest.signIn(server.url);
    using socket = await RawSocket.signedIn(server.url, ada.token);
    assert.equal((await socket.ask('1', '{ viewer { user { id } } }')).payload.data.viewer.user.id, ada.userId);
    await assert.rejects(RawSocket.open(server.url.replace('/chat', '')), /404/);
    const answer = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'mutation { signIn(input: { name: "Bob" }) { token } }' }),
    });
    assert.match(answer.headers.get('set-cookie') ?? '', /; Path=\/chat;/);
  });

  it('serves the web chat: a message arrives in another window', async () => {
    const browser: Browser = await openBrowser();
    try {
      await using ada = await arrive(browser, 'Ada');
      await using bob = await arrive(browser, 'Bob');
      await ada.createRoom('Meadow');
      await bob.openRoom('Meadow');
      await bob.page.getByRole('button', { name: 'Join', exact: true }).click();
      await ada.say('Below a path');
      await bob.message('Below a path').waitFor();
      await ada.page.reload();
      await ada.message('Below a path').waitFor();
      assert.deepEqual([...ada.pageErrors, ...ada.foreignRequests], []);
      await ada.page.goto(`${origin}/chat`);
      await ada.page.getByRole('link', { name: /GraphiQL/ }).click();
      await ada.page.getByRole('button', { name: /Execute query/ }).waitFor({ timeout: 60_000 });
    } finally {
      await browser.close();
    }
  });

  const arrive = (browser: Browser, name: string) => Person.arrive(browser, origin, name, {}, '/chat/');
});
