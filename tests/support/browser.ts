// A Chromium from the PATH or from Debian's package, driven by playwright-core, which does not download a browser.

import { type Browser, chromium } from 'playwright-core';
import { findProgram } from './programs.ts';
import { type Server, startServer } from './server.ts';

export async function openBrowser(): Promise<Browser> {
  const executablePath = await findProgram(['chromium', 'chromium-browser', 'google-chrome'], 'chromium');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] });
}

export interface WebChat extends AsyncDisposable {
  readonly browser: Browser;
  readonly server: Server;
  readonly origin: string;
}

/** Starts a browser, and a server of the web chat. */
export async function openWebChat(): Promise<WebChat> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startServer({ env: { RATE_LIMITS: '1' } }));
  const browser = opened.adopt(await openBrowser(), (each) => each.close());
  const toClose = opened.move();
  return { browser, server, origin: new URL(server.url).origin, [Symbol.asyncDispose]: () => toClose.disposeAsync() };
}
