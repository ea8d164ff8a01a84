// A real browser: Debian's Chromium, driven by Playwright's library, which downloads nothing.

import { type Browser, chromium } from 'playwright-core';
import { findProgram } from './programs.ts';

export async function openBrowser(): Promise<Browser> {
  const executablePath = await findProgram(['chromium', 'chromium-browser', 'google-chrome'], 'chromium');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] });
}
