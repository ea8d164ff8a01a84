// Takes the screenshots of the README. `SCREENSHOTS=docs/images npm test -- tests/web/screenshots.test.ts` saves them. Otherwise
// the test only checks that they can be taken.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { openWebChat } from '../support/browser.ts';
import { Person } from '../support/person.ts';

const talk = [
  ['Ada', 'The train went through a tunnel. What did I miss?'],
  ['Grace', 'Nothing. It is all above this line, in the order in which it was said.'],
  ['Linus', 'I restarted the server twice meanwhile, by the way.'],
  ['Ada', 'I saw “Reconnecting…” for a second, and then your three messages.'],
  ['Grace', 'And yours, which you wrote in the tunnel, arrived once.'],
  ['Linus', 'Even though your phone sent it four times.'],
] as const;

it('the web chat is shown on a wide screen, and on a phone in dark mode', { timeout: 120_000 }, async () => {
  const folder = process.env['SCREENSHOTS'] ?? mkdtempSync(join(tmpdir(), 'gapless-screenshots-'));
  await using chat = await openWebChat();
  const { browser, origin } = chat;
  try {
    await using ada = await Person.arrive(browser, origin, 'Ada', { viewport: { width: 1280, height: 760 } });
    await using grace = await Person.arrive(browser, origin, 'Grace');
    await using linus = await Person.arrive(browser, origin, 'Linus', { viewport: { width: 360, height: 720 }, colorScheme: 'dark' });
    const people = { Ada: ada, Grace: grace, Linus: linus };
    for (const name of ['Reading group', 'Release 1.0']) {
      await ada.createRoom(name);
      await ada.say('See you here.');
    }
    await ada.createRoom('The night train');
    await grace.enter('The night train');
    await linus.enter('The night train');
    for (const [name, body] of talk) {
      await people[name].say(body);
      await ada.message(body).waitFor();
    }
    await linus.message(talk[5][1]).waitFor();
    for (const [person, file] of [
      [ada, 'chat.png'],
      [linus, 'chat-phone.png'],
    ] as const) {
      await person.status('Live');
      const path = join(folder, file);
      await person.page.screenshot({ path });
      assert.ok(statSync(path).size > 10_000);
    }
  } finally {
    if (process.env['SCREENSHOTS'] === undefined) rmSync(folder, { recursive: true });
  }
});
