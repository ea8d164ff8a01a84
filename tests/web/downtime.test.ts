// The server stops while two people chat. They continue to write, and in the end everyone sees every message once.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { it } from 'node:test';
import { openBrowser } from '../support/browser.ts';
import { createDataFolder } from '../support/data-template.ts';
import { startNode } from '../support/node.ts';
import { Person } from '../support/person.ts';
import { freePort, until } from '../support/process.ts';

const spoken = /(Ada|Bob|Changed) [\w ]+\./;

it('shows everyone the same after both wrote and edited, one reloaded and one opened a second tab while the server was down', {
  timeout: 180_000,
}, async () => {
  const folder = createDataFolder();
  const env = { DATA_DIR: folder, PORT: String(await freePort()), PATH: process.env['PATH'] ?? '' };
  const browser = await openBrowser();
  let node = await startNode(env);
  try {
    const { origin } = new URL(node.url);
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    await ada.createRoom('Lighthouse');
    await bob.enter('Lighthouse');
    const everyoneSees = async (count: number) => {
      for (const person of [ada, bob]) await until('all messages are shown', async () => (await person.matches(spoken)).length === count);
    };
    await ada.say('Ada before one.', 'Ada before two.');
    await everyoneSees(2);
    await bob.say('Bob before one.');
    await everyoneSees(3);

    await node.program.stop('SIGTERM');
    for (const person of [ada, bob]) await person.status('Reconnecting');
    await ada.say('Ada away one.', 'Ada away two.');
    await bob.say('Bob away one.', 'Bob away two.');
    await ada.edit('Ada before one.', 'Changed by Ada.');
    await bob.edit('Bob before one.', 'Changed by Bob.');
    // Navigation fails while the server is down.
    await bob.page.reload().catch(() => {});
    const second = await ada.context.newPage();
    await second.goto(ada.page.url()).catch(() => {});

    node = await startNode(env);
    await bob.page.goto(ada.page.url());
    await second.goto(ada.page.url());
    const tabs = [ada, bob, ada.inTab(second)];
    for (const tab of tabs) await until('all messages are shown', async () => (await tab.matches(spoken)).length === 7, 40_000);
    await until('Bob sees the edit of Ada', async () => (await bob.matches(spoken)).includes('Changed by Ada.'), 40_000);
    const shown = await ada.matches(spoken);
    for (const tab of tabs) assert.deepEqual(await tab.matches(spoken), shown);
    assert.deepEqual(shown.slice(0, 2), ['Changed by Ada.', 'Ada before two.']);
    const of = (name: string) => shown.filter((text) => text.startsWith(`${name} away`));
    assert.deepEqual(
      [of('Ada'), of('Bob')],
      [
        ['Ada away one.', 'Ada away two.'],
        ['Bob away one.', 'Bob away two.'],
      ],
    );
    assert.equal(await ada.messages.filter({ hasText: 'Sending' }).count(), 0);
  } finally {
    await browser.close();
    await node.program.stop('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});
