// Unread messages in the web chat: counts, the divider, reading, muting, notifications, and rooms that come and go.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Locator } from 'playwright-core';
import { openWebChat, type WebChat } from '../support/browser.ts';
import { Person } from '../support/person.ts';
import { until } from '../support/process.ts';
import { chooseSeed, pick, randomFrom } from '../support/random.ts';
import type { Server } from '../support/server.ts';
import { range } from '../support/storage.ts';

describe('unread messages in the web chat', { timeout: 240_000 }, () => {
  let opened: WebChat;
  let browser: Browser;
  let server: Server;
  let origin: string;
  before(async () => {
    opened = await openWebChat();
    ({ browser, server, origin } = opened);
  });
  after(() => opened[Symbol.asyncDispose]());

  const linkOf = (person: Person, room: string): Locator =>
    person.page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: new RegExp(`^${room}`) });
  const button = (person: Person, name: string | RegExp) => person.page.getByRole('button', { name });
  const countOf = async (person: Person, room: string): Promise<number> => {
    const text = await linkOf(person, room).innerText();
    return Number(/(\d+)\+? unread/.exec(text)?.[1] ?? 0);
  };
  const untilCount = (person: Person, room: string, count: number, ms = 5000) =>
    until(`${count} messages of ${room} are unread`, async () => (await countOf(person, room)) === count, ms);
  /** Ada is in the first room, and Bob in the last one. Both are members of all. */
  const meet = async (...rooms: string[]) => {
    const ada = await Person.arrive(browser, origin, 'Ada');
    const bob = await Person.arrive(browser, origin, 'Bob');
    for (const room of rooms.toReversed()) await ada.createRoom(room);
    for (const room of rooms) await bob.enter(room);
    await linkOf(ada, rooms[0] as string).click();
    return { ada, bob, [Symbol.asyncDispose]: () => Promise.all([ada, bob].map((each) => each[Symbol.asyncDispose]())).then(() => {}) };
  };

  it('are counted in the list and in the title within a second, also after a restart of the server', async () => {
    await using people = await meet('Ash', 'Oak');
    const { ada, bob } = people;
    for (const count of [1, 2, 3]) {
      await bob.say(`Number ${count}.`);
      await bob.message(`Number ${count}.`).waitFor();
      await untilCount(ada, 'Oak', count, 1000);
      await until('the title has the count', async () => (await ada.page.title()) === `(${count}) Ash · Gapless`, 1000);
      assert.match(String(await ada.page.locator('link[rel=icon]').getAttribute('href')), /unread/);
      if (count === 1) await server.restart();
      for (const person of [ada, bob]) await person.status('Live');
    }
    await linkOf(ada, 'Oak').click();
    await ada.message('Number 3.').waitFor();
    await untilCount(ada, 'Oak', 0);
    await until('the title has no count', async () => (await ada.page.title()) === 'Oak · Gapless');
    assert.deepEqual([ada.pageErrors, bob.pageErrors], [[], []]);
  });

  it('begin at a divider, to which a long list jumps', async () => {
    await using people = await meet('Fern', 'Moss');
    const { ada, bob } = people;
    await bob.say(...range(1, 25).map((n) => `Number ${n}.`));
    await untilCount(ada, 'Moss', 25, 60_000);
    await linkOf(ada, 'Moss').click();
    await ada.message('Number 25.').waitFor();
    await button(ada, '25 new messages').click();
    await ada.page.getByText('25 new', { exact: true }).waitFor();
    await until('the first unread message is on the screen', () => ada.message('Number 1.').isVisible());
  });

  it('are read only while the page is seen', async () => {
    await using people = await meet('Reed');
    const { ada, bob } = people;
    const look = (seen: boolean) =>
      ada.page.evaluate((isSeen) => {
        globalThis.document.hasFocus = () => isSeen;
        globalThis.dispatchEvent(new Event(isSeen ? 'focus' : 'blur'));
      }, seen);
    await look(false);
    await bob.say('Are you there?');
    await ada.message('Are you there?').waitFor();
    await untilCount(ada, 'Reed', 1);
    // Longer than the page waits between two reads.
    await ada.page.waitForTimeout(2500);
    assert.equal(await countOf(ada, 'Reed'), 1);
    await look(true);
    await untilCount(ada, 'Reed', 0);
    await ada.page.getByText('1 new', { exact: true }).waitFor();
  });

  it('can be marked, and are not read again before the room is opened again', async () => {
    await using people = await meet('Sage', 'Thyme');
    const { ada, bob } = people;
    await bob.say('One.', 'Two.', 'Three.');
    await untilCount(ada, 'Thyme', 3);
    await button(ada, 'Mark all as read').click();
    await untilCount(ada, 'Thyme', 0);
    await linkOf(ada, 'Thyme').click();
    const message = ada.message('Two.');
    await message.hover();
    await message.getByRole('button', { name: 'Mark as unread' }).click();
    await untilCountOfOpen(ada, 'Thyme', 2);
    await linkOf(ada, 'Sage').click();
    await untilCount(ada, 'Thyme', 2);
    await linkOf(ada, 'Thyme').click();
    await untilCount(ada, 'Thyme', 0);
  });
  const untilCountOfOpen = async (person: Person, room: string, count: number) =>
    until(`${count} messages are unread for the server`, async () => (await truth(person)).get(room) === count);

  /** What a new page of rooms shows. */
  const truth = async (person: Person): Promise<Map<string, number>> => {
    const query = '{ rooms(first: 100, filter: { joined: true }) { nodes { name viewerMembership { unreadCount } } } }';
    const answer = await person.context.request.post('/graphql', { data: { query } });
    const { data } = (await answer.json()) as { data: { rooms: { nodes: { name: string; viewerMembership: { unreadCount: number } }[] } } };
    return new Map(data.rooms.nodes.map(({ name, viewerMembership }) => [name, viewerMembership.unreadCount]));
  };

  it('are counted right after each of 20 random actions', async () => {
    const seed = chooseSeed('unread messages in the web chat');
    const random = randomFrom(seed);
    const rooms = ['Lake', 'Pond', 'River'];
    await using people = await meet(...rooms);
    const { ada, bob } = people;
    let said = 0;
    const next = () => {
      said += 1;
      return `Number ${said}.`;
    };
    const actions: (() => Promise<unknown>)[] = [
      async () => bob.say(next()),
      async () => bob.say(next(), next()),
      async () => ada.say(next()),
      async () => linkOf(bob, pick(rooms, random)).click(),
      async () => linkOf(ada, pick(rooms, random)).click(),
      async () => {
        const all = button(ada, 'Mark all as read');
        if (await all.isVisible()) await all.click();
      },
      async () => button(ada, 'Mute').click(),
      async () => {
        const last = bob.messages.filter({ has: bob.page.getByRole('button', { name: 'Delete' }) }).last();
        if ((await last.count()) === 0) return;
        await last.hover();
        await last.getByRole('button', { name: 'Delete' }).click();
        await bob.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
      },
    ];
    for (const step of range(1, 20)) {
      await pick(actions, random)();
      await until(`step ${step} of seed ${seed} is shown`, async () => {
        const counts = await truth(ada);
        const shown = await Promise.all(rooms.map((room) => countOf(ada, room)));
        return rooms.every((room, i) => counts.get(room) === shown[i]);
      });
    }
  });

  it('of muted rooms are not in the title, and nobody is notified of them', async () => {
    await using people = await meet('Hill', 'Vale');
    const { ada, bob } = people;
    await ada.page.addInitScript(() => {
      const page = globalThis as unknown as { told: string[]; asked: number; Notification: { permission: string } };
      Object.assign(page, { told: [], asked: 0 });
      page.Notification = class {
        static permission = 'default';
        static async requestPermission() {
          page.asked += 1;
          page.Notification.permission = 'granted';
          return 'granted';
        }
        constructor(title: string, options: { body: string }) {
          page.told.push(`${title}: ${options.body}`);
        }
      };
    });
    await ada.page.reload();
    await ada.status('Live');
    const told = () => ada.page.evaluate(() => (globalThis as unknown as { told: string[] }).told);
    const asked = () => ada.page.evaluate(() => (globalThis as unknown as { asked: number }).asked);
    assert.equal(await asked(), 0, 'nothing is asked when the page is opened');
    await button(ada, /^Account/).click();
    await button(ada, 'Turn on').click();
    await button(ada, 'Turn off').waitFor();
    assert.equal(await asked(), 1);
    await ada.page.keyboard.press('Escape');
    await bob.say('Hello there.');
    await until('Ada is told', async () => (await told()).join() === 'Vale: Bob: Hello there.');
    await linkOf(ada, 'Vale').click();
    await button(ada, 'Mute').click();
    await linkOf(ada, 'Hill').click();
    await bob.say('Quietly.');
    await untilCount(ada, 'Vale', 1);
    assert.equal(await ada.page.title(), 'Hill · Gapless');
    assert.equal((await told()).length, 1);
  });

  it('are of rooms that appear when the viewer is added, and go with a reason when they are removed', async () => {
    await using ada = await Person.arrive(browser, origin, 'Ada');
    await using dora = await Person.arrive(browser, origin, 'Dora');
    await ada.createRoom('Dune');
    await dora.enter('Dune');
    await ada.message('Dora').first().waitFor();
    await button(ada, 'New room').click();
    const dialog = ada.page.getByRole('dialog');
    await dialog.getByRole('textbox', { name: 'Name' }).fill('Cave');
    await dialog.getByRole('radio', { name: /invitation/i }).check();
    await dialog.getByRole('button', { name: 'Create' }).click();
    await ada.composer.waitFor();
    await button(ada, 'Add people').click();
    await dialog.getByRole('button', { name: 'Add Dora' }).click();
    await ada.page.keyboard.press('Escape');
    await linkOf(dora, 'Cave').waitFor();
    await ada.say('It is dark in here.');
    await untilCount(dora, 'Cave', 1);
    await button(ada, 'Remove Dora').click();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await dora.page.getByText('You were removed from “Cave”.').waitFor();
    assert.equal(await linkOf(dora, 'Cave').count(), 0);
    await button(dora, 'Close').click();
    await dora.page.getByText('You were removed from “Cave”.').waitFor({ state: 'detached' });
  });
});
