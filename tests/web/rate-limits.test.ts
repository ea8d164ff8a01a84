// The web chat in a real browser, when its viewer does something more often than the server allows.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { openWebChat, type WebChat } from '../support/browser.ts';
import { Person } from '../support/person.ts';
import { until } from '../support/process.ts';
import { range } from '../support/storage.ts';

describe('the web chat within its rate limits', { timeout: 240_000 }, () => {
  let opened: WebChat;
  let browser: Browser;
  let origin: string;
  before(async () => {
    opened = await openWebChat();
    ({ browser, origin } = opened);
  });
  after(() => opened[Symbol.asyncDispose]());

  it('sends 40 messages that are typed at once, in order and once, and says that some have to wait', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await ada.createRoom('Burst');
    await ada.page.evaluate(() => {
      const { document } = globalThis;
      Object.assign(globalThis, { waited: false });
      new MutationObserver(() => {
        if (document.body.textContent?.includes('Sending soon')) Object.assign(globalThis, { waited: true });
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
    const written = range(1, 40).map((i) => `Message ${i}.`);
    await ada.say(...written);
    const { db } = opened.server.app.storage;
    const { id } = await db.selectFrom('rooms').select('id').where('name', '=', 'Burst').executeTakeFirstOrThrow();
    const stored = async () => {
      const rows = await db
        .selectFrom('messages')
        .select('body')
        .where('roomId', '=', id)
        .where('kind', '=', 'TALK')
        .orderBy('number')
        .execute();
      return rows.map(({ body }) => body);
    };
    await until('all messages are stored', async () => (await stored()).length >= written.length, 60_000);
    assert.deepEqual(await stored(), written);
    assert.equal(await ada.page.evaluate(() => (globalThis as { waited?: boolean }).waited), true);
    await until('nothing waits', async () => (await ada.page.locator('[data-pending=true]').count()) === 0);
    assert.deepEqual(ada.pageErrors, []);
  });

  it('says when another room can be created', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    const guest = await ada.guest(opened.server.url);
    for (const i of range(1, 10)) await guest.createRoom({ name: `Room ${i}` });
    await ada.page.getByRole('button', { name: 'New room' }).click();
    const dialog = ada.page.getByRole('dialog');
    await dialog.getByRole('textbox', { name: 'Name' }).fill('One too many');
    await dialog.getByRole('button', { name: 'Create' }).click();
    await dialog.getByText(/Try again in (\d+ minutes|1 hour)\./).waitFor();
  });

  it('joins a room after a wait if its viewer clicks faster than allowed', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await ada.createRoom('Revolving door');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    const guest = await bob.guest(opened.server.url);
    await bob.openRoom('Revolving door');
    // The changes of this second are used up. The next one waits for the next second.
    const noRoom = 'mutation { deleteRoom(input: { roomId: "room_" }) { deletedRoomId } }';
    const join = bob.page.getByRole('button', { name: 'Join', exact: true });
    await join.waitFor();
    await Promise.all(range(1, 10).map(() => guest.ask(noRoom)));
    await join.click();
    await bob.composer.waitFor();
  });
});
