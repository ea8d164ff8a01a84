// The web chat in a real browser, with a real server.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { Link } from '../../proof/rig/link.ts';
import { openWebChat, type WebChat } from '../support/browser.ts';
import { Person } from '../support/person.ts';
import { until } from '../support/process.ts';
import type { Server } from '../support/server.ts';
import { fillRoom, range } from '../support/storage.ts';

const numbered = (what: string, first: number, last: number) => range(first, last).map((i) => `${what} ${i}.`);

describe('the web chat', { timeout: 300_000 }, () => {
  let opened: WebChat;
  let browser: Browser;
  let server: Server;
  let origin: string;
  before(async () => {
    opened = await openWebChat();
    ({ browser, server, origin } = opened);
  });
  after(() => opened[Symbol.asyncDispose]());

  it('shows two people the same conversation', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    await ada.createRoom('Garden');
    await bob.enter('Garden');
    await ada.message('Bob').first().waitFor();
    for (const i of range(1, 5)) {
      await ada.say(`Ada ${i}.`);
      await bob.say(`Bob ${i}.`);
    }
    for (const person of [ada, bob])
      await until('all messages are shown', async () => (await person.matches(/(Ada|Bob) \d\./)).length === 10);
    assert.deepEqual(await ada.matches(/(Ada|Bob) \d\./), await bob.matches(/(Ada|Bob) \d\./));
    for (const person of [ada, bob]) assert.deepEqual([person.foreignRequests, person.pageErrors], [[], []]);
  });

  it('shows a person whose network was down what they missed, once and in order', async () => {
    await using link = await Link.open({ port: Number(new URL(origin).port) });
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using bob = await Person.arrive(browser, `http://127.0.0.1:${link.port}`, 'Bob');
    await ada.createRoom('Harbour');
    await bob.enter('Harbour');
    await ada.say('Before 1.');
    await bob.message('Before 1.').waitFor();
    link.impair({ refusing: true });
    link.reset();
    await bob.status('Reconnecting');
    await ada.say(...numbered('Missed', 1, 5));
    await bob.say(...numbered('Unsent', 1, 3));
    assert.equal(await bob.messages.filter({ hasText: 'Sending' }).count(), 3);
    link.heal();
    await bob.status('Live');
    const expected = ['Before 1.', ...numbered('Missed', 1, 5), ...numbered('Unsent', 1, 3)];
    for (const person of [ada, bob]) {
      await until('all messages are shown', async () => (await person.matches(/\w+ \d\./)).length === expected.length, 40_000);
      assert.deepEqual(await person.matches(/\w+ \d\./), expected);
    }
  });

  it('continues after a restart of the server, with nothing lost and nothing twice', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    await ada.createRoom('Island');
    await bob.enter('Island');
    for (const round of [1, 2]) {
      await Promise.all([server.restart(), ada.say(...numbered(`Ada ${round}`, 1, 4)), bob.say(...numbered(`Bob ${round}`, 1, 4))]);
      for (const person of [ada, bob]) {
        await until('all messages are shown', async () => (await person.matches(/\w+ \d \d\./)).length === 8 * round, 40_000);
        await person.status('Live');
      }
    }
    const shown = await ada.matches(/\w+ \d \d\./);
    assert.deepEqual(shown, await bob.matches(/\w+ \d \d\./));
    assert.equal(new Set(shown).size, 16);
  });

  it('scrolls back through 2,000 messages without skipping one', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await ada.createRoom('Archive');
    const { db } = server.app.storage;
    const { id } = await db.selectFrom('rooms').select('id').where('name', '=', 'Archive').executeTakeFirstOrThrow();
    await fillRoom(db, id, 2000);
    await ada.page.reload();
    await ada.message('message 2000').waitFor();
    const log = ada.page.getByRole('log', { name: 'Messages' });
    const seen = new Set<number>();
    const box = await log.boundingBox();
    assert.ok(box);
    await ada.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const deadline = Date.now() + 120_000;
    while (!seen.has(1) && Date.now() < deadline) {
      for (const number of await log
        .locator('[data-number]')
        .evaluateAll((all) => all.map((element) => Number(element.getAttribute('data-number'))))) {
        seen.add(number);
      }
      await ada.page.mouse.wheel(0, -box.height * 0.8);
      await ada.page.waitForTimeout(20);
    }
    // Only a window of the list is rendered.
    assert.ok((await ada.messages.count()) < 200);
    const missing = range(1, 2000).filter((number) => !seen.has(number));
    assert.deepEqual(missing, []);
  });

  it('sends messages in a browser that refuses locks', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await ada.page.addInitScript(() => {
      navigator.locks.request = () => Promise.reject(new DOMException('Storage is off.', 'SecurityError'));
    });
    await ada.page.reload();
    await ada.createRoom('Without locks');
    await ada.say('Sent without a lock.');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    await bob.openRoom('Without locks');
    await bob.message('Sent without a lock.').waitFor();
    assert.deepEqual(ada.pageErrors, []);
  });

  it('shows the time beside a text from right to left as it shows it elsewhere', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada of both sides', { locale: 'en-US' });
    await ada.createRoom('Both sides');
    await ada.say('مرحبا بالعالم');
    const time = ada.message('مرحبا بالعالم').locator('time');
    await time.waitFor();
    const styles = await time.evaluate((element) => {
      const { direction } = globalThis.getComputedStyle(element);
      const { marginLeft, marginRight } = globalThis.getComputedStyle(element.parentElement as typeof element);
      return { direction, marginLeft, marginRight };
    });
    assert.deepEqual(styles, { direction: 'ltr', marginLeft: '0px', marginRight: '12px' });
  });

  it('shows every message as text, even if it looks like markup or a script', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await ada.createRoom('Mischief');
    const bodies = [
      '<img src=x onerror="document.title=1">',
      '<script>document.title=2</script>',
      'javascript:document.title=3',
      '[x](javascript:document.title=4)',
    ];
    await ada.say(...bodies);
    for (const body of bodies) await ada.message(body).first().waitFor();
    assert.equal(await ada.page.locator('[href^="javascript:"], [role=log] img, [role=log] script').count(), 0);
    assert.ok(!/^\d$/.test(await ada.page.title()));
    assert.deepEqual(ada.pageErrors, []);
  });
});
