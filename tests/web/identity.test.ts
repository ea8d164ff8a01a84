// Who is signed in, in the tabs of one browser.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openWebChat, type WebChat } from '../support/browser.ts';
import { Person } from '../support/person.ts';
import { until } from '../support/process.ts';
import { Guest } from '../support/server.ts';

describe('the tabs of one browser', { timeout: 300_000 }, () => {
  let chat: WebChat;
  before(async () => {
    chat = await openWebChat();
  });
  after(() => chat[Symbol.asyncDispose]());

  /** Signs in as somebody else in the same browser, without a tab that tells the others. */
  async function replace(person: Person, name: string): Promise<void> {
    const query = `mutation { signIn(input: { name: "${name}" }) { viewer { id } } }`;
    const response = await person.context.request.post(chat.server.url, { data: { query }, headers: { origin: chat.origin } });
    assert.ok(response.ok());
  }

  async function sendersOf(body: string): Promise<string[]> {
    const { db } = chat.server.app.storage;
    const rows = await db
      .selectFrom('messages')
      .innerJoin('users', 'users.id', 'senderId')
      .select('users.name')
      .where('body', '=', body)
      .execute();
    return rows.map(({ name }) => name);
  }

  it('do not send as another viewer what was written before that viewer signed in', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of tabs');
    await ada.createRoom('Meadow');
    await ada.say('Before.');
    await ada.message('Before.').waitFor();
    await replace(ada, 'Bob of tabs');
    await ada.say('Written as Ada.');
    await ada.page.getByRole('heading', { name: 'Bob of tabs is signed in now' }).waitFor();
    await ada.page.getByText('A message was not sent.').waitFor();
    assert.deepEqual(await sendersOf('Written as Ada.'), []);

    await ada.page.getByRole('button', { name: 'Continue as Bob of tabs' }).click();
    const pending = ada.page.getByText('Written as Ada.');
    await pending.waitFor();
    await ada.page.getByText('Not sent.').waitFor();
    assert.deepEqual(await sendersOf('Written as Ada.'), []);

    // The viewer decides to send it.
    await ada.page.getByRole('button', { name: 'Join', exact: true }).click();
    await ada.composer.waitFor();
    await ada.page.getByRole('button', { name: 'Try again' }).click();
    await until('it is sent', async () => (await sendersOf('Written as Ada.')).length > 0);
    assert.deepEqual(await sendersOf('Written as Ada.'), ['Bob of tabs']);
    assert.deepEqual(ada.pageErrors, []);
  });

  it('show at once that somebody else has signed in in another tab, and keep the draft', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of drafts');
    await ada.createRoom('Orchard');
    await ada.composer.fill('A draft.');
    const other = await ada.context.newPage();
    // As if this tab had been opened before Ada signed in.
    await other.route('**/graphql', (route) => route.fulfill({ json: { data: { viewer: null } } }), { times: 1 });
    await other.goto('/');
    await other.getByRole('textbox', { name: 'Your name' }).fill('Bob of drafts');
    await other.getByRole('button', { name: 'Sign in' }).click();
    await other.getByRole('navigation', { name: 'Rooms' }).waitFor();
    await ada.page.getByRole('heading', { name: 'Bob of drafts is signed in now' }).waitFor();
    await ada.page.getByRole('button', { name: 'Continue as Bob of drafts' }).click();
    await ada.page.getByRole('button', { name: 'Join', exact: true }).click();
    await ada.composer.waitFor();
    assert.equal(await ada.composer.inputValue(), 'A draft.');
    await ada.say('Now as Bob.');
    await until('it is sent', async () => (await sendersOf('Now as Bob.')).length > 0);
    assert.deepEqual(await sendersOf('Now as Bob.'), ['Bob of drafts']);
  });

  it('do not sign out a viewer who has signed in in another tab', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of doors');
    await replace(ada, 'Bob of doors');
    await ada.page.getByRole('button', { name: /Ada of doors/ }).click();
    await ada.page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click();
    await ada.page.getByRole('heading', { name: 'Bob of doors is signed in now' }).waitFor();
    await ada.page.reload();
    await ada.page.getByRole('button', { name: /Bob of doors/ }).waitFor();
  });

  it('are signed out together', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of exits');
    const other = await ada.context.newPage();
    await other.goto('/');
    await other.getByRole('navigation', { name: 'Rooms' }).waitFor();
    await ada.page.getByRole('button', { name: /Ada of exits/ }).click();
    await signOut(ada);
    for (const page of [ada.page, other]) await page.getByRole('textbox', { name: 'Your name' }).waitFor();
    // What was written was deleted with the session.
    const claim = other.getByText('Nothing that you wrote is lost.');
    await until('the other tab does not claim that nothing is lost', async () => (await claim.count()) === 0);
  });

  it('take a guest back who has kept their link, which no server sees', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of links');
    const requested: string[] = [];
    ada.context.on('request', (request) => requested.push(request.url(), request.headers()['referer'] ?? ''));
    await ada.createRoom('Return');
    await ada.page.getByRole('button', { name: /Ada of links/ }).click();
    const idOf = (person: Person) => person.page.getByRole('textbox', { name: 'Your user ID' }).inputValue();
    const id = await idOf(ada);
    await ada.page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click();
    const link = await ada.page.getByRole('textbox', { name: 'Your link to come back' }).inputValue();
    await ada.page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click();
    await ada.page.getByRole('textbox', { name: 'Your name' }).waitFor();

    await ada.page.goto(link);
    await ada.page.reload();
    await ada.page.getByRole('textbox', { name: 'Your name' }).waitFor();
    await ada.page.goto(link);
    await ada.page.getByRole('button', { name: 'Continue as Ada of links' }).click();
    await ada.page.getByRole('button', { name: /Account: Ada of links/ }).click();
    assert.equal(await idOf(ada), id);
    assert.equal(new URL(ada.page.url()).hash, '');
    const token = new URL(link).hash.slice('#recover='.length);
    assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
    assert.deepEqual(
      requested.filter((url) => url.includes(token)),
      [],
    );
    // The cookie has a token of its own.
    const cookies = await ada.context.cookies();
    assert.ok(cookies.every(({ httpOnly, value }) => httpOnly && value !== token));
    assert.deepEqual(ada.pageErrors, []);
  });

  it('say that something was copied only if it was, and that there is no link if there is none', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of copies');
    // As on http with another host than localhost.
    await ada.page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
    await ada.page.getByRole('button', { name: /Account: Ada of copies/ }).click();
    const dialog = ada.page.getByRole('dialog');
    const id = dialog.getByRole('textbox', { name: 'Your user ID' });
    await dialog.getByRole('button', { name: 'Copy' }).click();
    assert.equal(await ada.page.evaluate(() => String(globalThis.getSelection())), await id.inputValue());
    assert.equal(await dialog.getByRole('button', { name: 'Copied' }).count(), 0);

    const outage = Promise.withResolvers<void>();
    await ada.page.route('**/graphql', (route) => outage.promise.then(() => route.abort()));
    await dialog.getByRole('button', { name: 'Sign out' }).click();
    await dialog.getByText('A guest has no password').waitFor();
    assert.ok(await dialog.getByRole('button', { name: 'Sign out' }).isDisabled());
    outage.resolve();
    await dialog.getByText('The server did not give you a link.').waitFor();
    assert.ok(await dialog.getByRole('button', { name: 'Sign out' }).isEnabled());
    assert.deepEqual(ada.pageErrors, []);
  });

  it('do not change their viewer by a link unless they are asked, and say if it does not work', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of questions');
    const other = await Guest.signIn(chat.server.url, 'Somebody else');
    for (const [token, text] of [
      [other.token, 'This link signs you in as Somebody else.'],
      ['junk', 'This link does not work any more.'],
    ] as const) {
      await ada.page.goto(`/#recover=${token}`);
      await ada.page.getByText(text).waitFor();
      await ada.page.getByRole('button', { name: 'Cancel' }).click();
      await ada.page.getByRole('button', { name: /Account: Ada of questions/ }).waitFor();
    }
  });

  it('keep their viewer if somebody signs in in GraphiQL', async () => {
    await using ada = await Person.arrive(chat.browser, chat.origin, 'Ada of GraphiQL');
    await ada.createRoom('Workshop');
    const graphiql = await ada.context.newPage();
    await graphiql.goto('/graphql');
    await graphiql.getByRole('tab').first().waitFor();
    const run = graphiql.getByRole('button', { name: /Execute query/ });
    await run.click();
    const answer = graphiql.locator('.result-window');
    await answer.getByText('"Ada"').waitFor();
    assert.match(await answer.innerText(), /viewer_/);
    await ada.page.reload();
    await ada.page.getByRole('button', { name: /Ada of GraphiQL/ }).waitFor();
    await ada.say('Still Ada.');
    await until('it is sent', async () => (await sendersOf('Still Ada.')).length > 0);
    assert.deepEqual(await sendersOf('Still Ada.'), ['Ada of GraphiQL']);

    // The other tabs of GraphiQL are signed in as well.
    await graphiql.getByRole('tab').nth(1).click();
    await run.click();
    await answer.getByText('"room_').waitFor();
    const roomId = /room_\w+/.exec(await answer.innerText())?.[0];
    const { db } = chat.server.app.storage;
    const room = await db
      .selectFrom('rooms')
      .innerJoin('users', 'users.id', 'createdBy')
      .select('users.name')
      .where('rooms.id', '=', roomId as string)
      .executeTakeFirst();
    assert.equal(room?.name, 'Ada');
    await graphiql.getByRole('tab').nth(2).click();
    const [socket] = await Promise.all([graphiql.waitForEvent('websocket'), run.click()]);
    assert.equal(new URL(socket.url()).search, '?session=graphiql');
  });
});

async function signOut(person: Person): Promise<void> {
  const dialog = person.page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Sign out' }).click();
  await person.page.getByText('only with your link').waitFor();
  await dialog.getByRole('button', { name: 'Sign out' }).click();
}
