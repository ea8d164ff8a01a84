// How a session ends in the web chat: the page ends it on the server, and says why it stopped if it was ended elsewhere.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SignJWT } from 'jose';
import type { Page } from 'playwright-core';
import { openWebChat, type WebChat } from '../support/browser.ts';
import { Person } from '../support/person.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';

const signOut = 'mutation { signOut { signedOut } }';
const me = '{ viewer { id } }';
const elsewhere = {
  'en-GB': 'You signed out in another tab or on another device.',
  'ko-KR': '다른 탭이나 다른 기기에서 로그아웃했습니다.',
} as const;

describe('a session of the web chat', { timeout: 300_000 }, () => {
  let chat: WebChat;
  before(async () => {
    chat = await openWebChat();
  });
  after(() => chat[Symbol.asyncDispose]());

  it('of a guest says that it was signed out on another device', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of devices');
    const device = await ada.guest(chat.server.url);
    await ada.createRoom('Harbour');
    await device.must(signOut);
    await ada.page.getByRole('alert').filter({ hasText: elsewhere['en-GB'] }).waitFor();
    await ada.page.getByRole('textbox', { name: 'Your name' }).waitFor();
  });

  it('of a guest says that it was signed out in another tab, and not where that was done', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of two tabs');
    const other = await ada.context.newPage();
    await other.goto('/');
    await other.getByRole('navigation', { name: 'Rooms' }).waitFor();
    await ada.page.getByRole('button', { name: /Ada of two tabs/ }).click();
    const dialog = ada.page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Sign out' }).click();
    await dialog.getByText('only with your link').waitFor();
    await dialog.getByRole('button', { name: 'Sign out' }).click();
    await other.getByRole('alert').filter({ hasText: elsewhere['en-GB'] }).waitFor();
    await ada.page.getByRole('textbox', { name: 'Your name' }).waitFor();
    assert.equal(await ada.page.getByRole('alert').count(), 0);
  });

  describe('with a token of a host application', () => {
    const secret = 'a secret that is long enough for HS256';
    const cleanup = new AsyncDisposableStack();
    let hosted: Server;
    before(async () => {
      const place = cleanup.use(await createPlace('PostgreSQL'));
      hosted = cleanup.use(await startServer({ env: { ...place.env, IDENTITY: 'jwt', JWT_SECRET: secret } }));
    });
    after(() => cleanup.disposeAsync());

    /** Opens the page with a new token. `other` uses the same token. */
    async function open(name: string, locale: string): Promise<{ page: Page; other: Guest } & AsyncDisposable> {
      const expiresAt = Math.floor(Date.now() / 1000) + 3600;
      const token = new SignJWT({ sub: name, name, exp: expiresAt }).setProtectedHeader({ alg: 'HS256' });
      const signed = await token.sign(new TextEncoder().encode(secret));
      const context = await chat.browser.newContext({ locale });
      const page = await context.newPage();
      await page.goto(`${new URL(hosted.url).origin}/#token=${signed}`);
      await page.getByRole('button', { name: new RegExp(name) }).waitFor();
      return { page, other: new Guest(hosted.url, signed, ''), [Symbol.asyncDispose]: () => context.close() };
    }
    const reasonOf = async (guest: Guest) => (await guest.ask(me)).errors?.[0]?.extensions;

    it('is ended on the server when the viewer signs out, without a reproach', async () => {
      await using ada = await open('Ada of tokens', 'en-GB');
      assert.equal(await reasonOf(ada.other), undefined);
      await ada.page.getByRole('button', { name: /Ada of tokens/ }).click();
      await ada.page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click();
      await ada.page.getByRole('textbox', { name: 'Token' }).waitFor();
      assert.deepEqual(await reasonOf(ada.other), { code: 'UNAUTHENTICATED', reason: 'SIGNED_OUT' });
      assert.equal(await ada.page.getByRole('alert').count(), 0);
    });

    for (const [locale, text] of Object.entries(elsewhere)) {
      it(`says that it was signed out elsewhere: ${locale}`, async () => {
        await using ada = await open(`Ada of ${locale}`, locale);
        await ada.other.createRoom({ name: 'Pier' });
        await ada.page.reload();
        await ada.page.getByRole('link', { name: /Pier/ }).first().click();
        await until('the room is watched', () => hosted.app.liveRooms.size > 0);
        await ada.other.must(signOut);
        await ada.page.getByRole('alert').filter({ hasText: text }).waitFor();
      });
    }

    it('ends here at once although no room is open, also while a dialog asks whether to sign out', async () => {
      await using ada = await open('Ada of ends', 'en-GB');
      await ada.page.getByRole('button', { name: /Ada of ends/ }).click();
      await ada.page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).waitFor();
      await ada.other.must(signOut);
      await ada.page.getByRole('textbox', { name: 'Token' }).waitFor();
      assert.equal(await ada.page.getByRole('dialog').count(), 0);
    });
  });
});
