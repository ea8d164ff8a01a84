// A person who uses the web chat in a browser: their actions, and what they see.

import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { Guest } from './server.ts';

export class Person implements AsyncDisposable {
  readonly name: string;
  readonly context: BrowserContext;
  readonly page: Page;
  /** Requests to other hosts. */
  readonly foreignRequests: string[] = [];
  /** Uncaught errors of the page, and violations of its content security policy. */
  readonly pageErrors: string[] = [];

  private constructor(name: string, context: BrowserContext, page: Page) {
    this.name = name;
    this.context = context;
    this.page = page;
  }

  /** Opens the page at `origin` in a new browser context, and signs in. `path` is where the page is. */
  static async arrive(
    browser: Browser,
    origin: string,
    name: string,
    options: Parameters<Browser['newContext']>[0] = {},
    path = '/',
  ): Promise<Person> {
    const context = await browser.newContext({ locale: 'en-GB', baseURL: origin, reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    const person = new Person(name, context, page);
    const host = new URL(origin).host;
    context.on('request', (request) => {
      // data: and blob: URLs have no host.
      if (![host, ''].includes(new URL(request.url()).host)) person.foreignRequests.push(request.url());
    });
    context.on('console', (message) => {
      if (/content.security.policy/i.test(message.text())) person.pageErrors.push(message.text());
    });
    context.on('weberror', (error) => person.pageErrors.push(String(error.error())));
    await page.goto(path);
    await page.getByRole('textbox', { name: 'Your name' }).fill(name);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Rooms' }).waitFor();
    return person;
  }

  /** The same person as a client of the API, with the token of the page. */
  async guest(url: string): Promise<Guest> {
    const cookies = await this.context.cookies();
    const token = cookies.find(({ name }) => name.startsWith('gapless_token'))?.value;
    if (token === undefined) throw new Error('The page has no token.');
    return new Guest(url, token, '');
  }

  async createRoom(name: string): Promise<void> {
    await this.page.getByRole('button', { name: 'New room' }).click();
    const dialog = this.page.getByRole('dialog');
    await dialog.getByRole('textbox', { name: 'Name' }).fill(name);
    await dialog.getByRole('button', { name: 'Create' }).click();
    await this.composer.waitFor();
  }

  async enter(room: string): Promise<void> {
    await this.openRoom(room);
    await this.page.getByRole('button', { name: 'Join', exact: true }).click();
    await this.composer.waitFor();
  }

  /** Opens a room from the list. The list is asked for again, as when its tab is shown again: it polls slowly. */
  async openRoom(room: string): Promise<void> {
    await this.page.evaluate(() => globalThis.document.dispatchEvent(new Event('visibilitychange')));
    await this.page
      .getByRole('navigation', { name: 'Rooms' })
      .getByRole('link', { name: new RegExp(`^${room}`) })
      .click();
  }

  async say(...bodies: string[]): Promise<void> {
    for (const body of bodies) {
      await this.composer.fill(body);
      await this.composer.press('Enter');
    }
  }

  async edit(body: string, words: string): Promise<void> {
    const message = this.message(body);
    await message.hover();
    await message.getByRole('button', { name: 'Edit' }).click();
    await this.composer.fill(words);
    await this.composer.press('Enter');
  }

  /** The same person in another tab. */
  inTab(page: Page): Person {
    return new Person(this.name, this.context, page);
  }

  get composer(): Locator {
    return this.page.getByRole('textbox', { name: 'Message', exact: true });
  }

  get messages(): Locator {
    return this.page.getByRole('log', { name: 'Messages' }).getByRole('article');
  }

  message(body: string): Locator {
    return this.messages.filter({ hasText: body });
  }

  /** The first match in each rendered message, in order. Messages without a match are left out. */
  async matches(pattern: RegExp): Promise<string[]> {
    const texts = await this.messages.allInnerTexts();
    return texts.flatMap((text) => text.match(pattern)?.[0] ?? []);
  }

  status(text: string): Promise<void> {
    return this.page.getByRole('status').filter({ hasText: text }).first().waitFor({ timeout: 40_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }
}
