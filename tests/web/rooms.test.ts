// Rooms in the web chat: finding, creating, inviting, leaving and deleting.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { openWebChat, type WebChat } from '../support/browser.ts';
import { Person } from '../support/person.ts';
import { until } from '../support/process.ts';

describe('rooms of the web chat', { timeout: 180_000 }, () => {
  let opened: WebChat;
  let browser: Browser;
  let origin: string;
  before(async () => {
    opened = await openWebChat();
    ({ browser, origin } = opened);
  });
  after(() => opened[Symbol.asyncDispose]());

  const roomsOf = (person: Person) => person.page.getByRole('navigation', { name: 'Rooms' }).getByRole('link');
  const button = (person: Person, name: string) => person.page.getByRole('button', { name, exact: true });
  const dialog = (person: Person) => person.page.getByRole('dialog');

  it('are listed by newest activity, and found by name', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    for (const name of ['Alder', 'Birch', 'Cedar']) await ada.createRoom(name);
    const trees = async () => (await roomsOf(bob).allInnerTexts()).flatMap((text) => text.match(/Alder|Birch|Cedar/)?.[0] ?? []);
    await until('the newest room is first', async () => (await trees()).join() === 'Cedar,Birch,Alder');
    await ada.openRoom('Alder');
    await ada.say('Under the alder.');
    await until('the room with the newest message is first', async () => (await trees()).join() === 'Alder,Cedar,Birch');
    assert.match(await roomsOf(bob).filter({ hasText: 'Alder' }).innerText(), /Under the alder\./);
    await bob.page.getByRole('searchbox', { name: 'Search rooms' }).fill('birc');
    await until('only the room that was searched is listed', async () => (await trees()).join() === 'Birch');
  });

  it('are renamed and deleted by their owner, and everyone in them sees it', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    await ada.createRoom('Mill');
    await bob.enter('Mill');
    await button(ada, 'Room settings').click();
    await dialog(ada).getByRole('textbox', { name: 'Name' }).fill('Watermill');
    await dialog(ada).getByRole('button', { name: 'Save' }).click();
    await bob.page.getByRole('heading', { name: 'Watermill' }).waitFor();
    await button(ada, 'Room settings').click();
    await dialog(ada).getByRole('button', { name: 'Delete room' }).click();
    await dialog(ada)
      .last()
      .getByRole('button', { name: /^Delete/ })
      .last()
      .click();
    await bob.page.getByRole('alert').filter({ hasText: 'deleted' }).waitFor();
  });

  it('that are private are visible to people who were added, until they are removed', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    // Ada can add people whom her page has seen in another room.
    await ada.createRoom('Square');
    await bob.enter('Square');
    await ada.message('Bob').first().waitFor();
    await button(ada, 'New room').click();
    await dialog(ada).getByRole('textbox', { name: 'Name' }).fill('Cellar');
    await dialog(ada)
      .getByRole('radio', { name: /invitation/i })
      .check();
    await dialog(ada).getByRole('button', { name: 'Create' }).click();
    await ada.composer.waitFor();
    assert.equal(await roomsOf(bob).filter({ hasText: 'Cellar' }).count(), 0);
    await button(ada, 'Add people').click();
    await dialog(ada).getByRole('button', { name: 'Add Bob' }).click();
    await ada.page.keyboard.press('Escape');
    await bob.openRoom('Cellar');
    await bob.say('It is dark in here.');
    await ada.message('It is dark in here.').waitFor();
    await button(ada, 'Remove Bob').click();
    await dialog(ada).getByRole('button', { name: 'Remove' }).click();
    await bob.page.getByRole('alert').filter({ hasText: 'no longer see it' }).waitFor();
  });

  it('that are direct are opened from the list of members, and leaving a room is shown to the others', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using bob = await Person.arrive(browser, origin, 'Bob');
    await ada.createRoom('Pier');
    await bob.enter('Pier');
    await button(bob, 'Message Ada').click();
    await bob.page.getByRole('heading', { name: 'Ada' }).waitFor();
    await bob.say('Only for you.');
    await ada.page.getByRole('link', { name: /^Bob.*Only for you\./s }).click();
    await ada.message('Only for you.').waitFor();
    await bob.openRoom('Pier');
    await button(bob, 'Leave').click();
    await dialog(bob).getByRole('button', { name: 'Leave' }).click();
    await ada.openRoom('Pier');
    await ada.message('Bob left').waitFor();
  });

  it('link to GraphiQL, which loads nothing from another host', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await ada.page.getByRole('link', { name: /GraphiQL/ }).click();
    await ada.page.getByRole('tab').first().waitFor();
    assert.match(await ada.page.locator('body').innerText(), /signIn/);
    assert.deepEqual(ada.foreignRequests, []);
  });
});
