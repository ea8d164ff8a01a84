// Accessibility and reach: keyboard only, screen reader, small screen, dark mode, Korean, and tokens of a host application.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { SignJWT } from 'jose';
import type { Browser, Locator, Page } from 'playwright-core';
import { openWebChat, type WebChat } from '../support/browser.ts';
import { Person } from '../support/person.ts';
import { until } from '../support/process.ts';
import { createPlace, startServer } from '../support/server.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The violations that axe-core rates as serious or critical. */
async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  // biome-ignore lint/suspicious/noExplicitAny: axe was loaded into the page above
  const { violations } = await page.evaluate(() => (globalThis as any).axe.run());
  const serious = violations.filter(({ impact }: { impact: string }) => impact === 'serious' || impact === 'critical');
  return serious.map(({ id, nodes }: { id: string; nodes: { html: string }[] }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

describe('the web chat', { timeout: 180_000 }, () => {
  let opened: WebChat;
  let browser: Browser;
  let origin: string;
  before(async () => {
    opened = await openWebChat();
    ({ browser, origin } = opened);
  });
  after(() => opened[Symbol.asyncDispose]());

  it('can be used after five requests', async () => {
    const context = await browser.newContext({ locale: 'en-GB', baseURL: origin });
    const requests: string[] = [];
    context.on('request', (request) => requests.push(request.url()));
    const page = await context.newPage();
    await page.goto('/', { waitUntil: 'commit' });
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    assert.ok(requests.length <= 5, requests.join());
    await context.close();
  });

  it('can be used by keyboard alone', async () => {
    const context = await browser.newContext({ locale: 'en-GB', baseURL: origin });
    const page = await context.newPage();
    await page.goto('/');
    const { keyboard } = page;
    /** Presses Tab until the element with this role and name has the focus. */
    const reach = async (role: Parameters<Page['getByRole']>[0], name: string | RegExp, within: Page | Locator = page) => {
      const target = within.getByRole(role, { name }).first();
      await target.waitFor();
      for (let presses = 0; presses < 40; presses += 1) {
        if (await target.evaluate((element) => element === element.ownerDocument.activeElement)) return;
        await keyboard.press('Tab');
      }
      assert.fail(`${role} ${name} is not reached by Tab.`);
    };
    await page.getByRole('textbox', { name: 'Your name' }).waitFor();
    await keyboard.type('Ada');
    await keyboard.press('Enter');
    await reach('button', 'New room');
    await keyboard.press('Enter');
    await keyboard.type('Meadow');
    await keyboard.press('Enter');
    await reach('textbox', 'Message');
    await keyboard.type('First');
    await keyboard.press('Shift+Enter');
    await keyboard.type('second line');
    await keyboard.press('Enter');
    const message = page.getByRole('article').filter({ hasText: 'second line' });
    await message.waitFor();
    await until('the last message is being edited', async () => {
      await keyboard.press('ArrowUp');
      return page.getByText('Editing your message').isVisible();
    });
    await keyboard.press('ControlOrMeta+a');
    await keyboard.type('Changed');
    await keyboard.press('Enter');
    const changed = page.getByRole('article').filter({ hasText: 'Changed' });
    await changed.filter({ hasText: 'edited' }).waitFor();
    await reach('button', 'Delete');
    await keyboard.press('Enter');
    await reach('button', 'Delete', page.getByRole('dialog'));
    await keyboard.press('Enter');
    await page.getByRole('article').filter({ hasText: 'was deleted' }).waitFor();
    await reach('button', 'Room settings');
    await keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    const focused = await page.evaluate(() => globalThis.document.activeElement?.getAttribute('aria-label'));
    assert.equal(focused, 'Room settings', 'closing the dialog restores the focus');
    await reach('link', /^Meadow/);
    await context.close();
  });

  for (const [where, options] of Object.entries({
    'on a wide screen': { viewport: { width: 1280, height: 800 } },
    'on a phone, in the dark': { viewport: { width: 360, height: 640 }, colorScheme: 'dark' as const },
  })) {
    it(`has no serious accessibility violation and no horizontal overflow ${where}`, async () => {
      const context = await browser.newContext({ locale: 'en-GB', baseURL: origin, ...options });
      const page = await context.newPage();
      await page.goto('/');
      await page.getByRole('button', { name: 'Sign in' }).waitFor();
      assert.deepEqual(await violationsOf(page), []);
      await context.close();
      await using ada = await Person.arrive(browser, origin, 'Ada', options);
      assert.deepEqual(await violationsOf(ada.page), []);
      await ada.createRoom(`Room ${where}`);
      await ada.say('Hello.', 'A-word-that-is-far-too-long-for-any-screen'.repeat(20));
      await ada.message('Hello.').waitFor();
      assert.deepEqual(await violationsOf(ada.page), []);
      await ada.page.getByRole('button', { name: 'Room settings' }).click();
      await ada.page.getByRole('dialog').waitFor();
      assert.deepEqual(await violationsOf(ada.page), []);
      const overflow = await ada.page.evaluate(() => {
        const { scrollWidth, clientWidth } = globalThis.document.documentElement;
        return scrollWidth - clientWidth;
      });
      assert.equal(overflow, 0);
    });
  }

  it('announces messages of others to screen readers', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    await ada.createRoom('Theatre');
    await bob.enter('Theatre');
    await bob.say('Can you hear me?');
    await until('the message is in a live region', async () => {
      const regions = await ada.page.locator('[aria-live="polite"]').allInnerTexts();
      return regions.some((text) => text.includes('Bob') && text.includes('Can you hear me?'));
    });
  });

  it('is Korean in a Korean browser, and English once English is chosen', async () => {
    const context = await browser.newContext({ locale: 'ko-KR', baseURL: origin });
    const page = await context.newPage();
    await page.goto('/');
    await page.getByRole('button', { name: '로그인' }).waitFor();
    assert.equal(await page.evaluate(() => globalThis.document.documentElement.lang), 'ko');
    await page.getByRole('combobox', { name: '언어' }).selectOption({ label: 'English' });
    for (const isReloaded of [false, true]) {
      if (isReloaded) await page.reload();
      await page.getByRole('button', { name: 'Sign in' }).waitFor();
      assert.equal(await page.evaluate(() => globalThis.document.documentElement.lang), 'en');
    }
    await context.close();
  });

  it('takes the token of the host application from the address, removes it there, and asks for a new one when it expires', async () => {
    const secret = 'a secret that is long enough for HS256';
    const tokenFor = (seconds: number) =>
      new SignJWT({ name: 'Ada of the application' })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject('ada')
        .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
        .sign(new TextEncoder().encode(secret));
    await using place = await createPlace('PGlite');
    await using hosted = await startServer({ env: { ...place.env, IDENTITY: 'jwt', JWT_SECRET: secret } });
    const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    const at = new URL(hosted.url).origin;
    await page.goto(`${at}/#token=${await tokenFor(6)}`);
    await page.getByRole('button', { name: /Ada of the application/ }).waitFor();
    assert.ok(!page.url().includes('token'));
    await page.reload();
    await page.getByRole('button', { name: /Ada of the application/ }).waitFor();
    await page.getByRole('alert').filter({ hasText: 'token' }).waitFor({ timeout: 20_000 });
    await page.getByRole('textbox', { name: 'Token' }).fill(await tokenFor(3600));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Rooms' }).waitFor();
    await page.context().close();
  });
});
