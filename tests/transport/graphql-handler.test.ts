// When a request over HTTP is answered although the database does not answer.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Lock } from '../support/lock.ts';
import { collectLog, type Line } from '../support/log.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';

describe('a request while the database does not answer', { timeout: 60_000 }, () => {
  let server: Server;
  let place: Awaited<ReturnType<typeof createPlace>>;
  let ada: Guest;
  let roomId: string;
  let lines: Line[];
  before(async () => {
    place = await createPlace('PostgreSQL');
    const collected = collectLog();
    lines = collected.lines;
    server = await startServer({ env: place.env, log: collected.log });
    ada = await Guest.signIn(server.url);
    roomId = await ada.createRoom();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  /** A guest of whom the server does not know yet that they have a row. */
  const newcomer = async () => (await Guest.signIn(server.url)).token;
  const lock = (table: string) => Lock.take(place.env['DATABASE_URL'] as string, `lock table ${table} in access exclusive mode`);
  const errors = () => lines.filter(({ level }) => level === 'error');
  const post = (body: object, token: string | undefined, accept: string) =>
    fetch(server.url, {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    });
  const codeOf = async (response: Response) =>
    ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code;

  const send = 'mutation Send($roomId: ID!) { sendMessage(input: { roomId: $roomId, body: "x" }) { message { id } } }';
  const watch = 'subscription Watch($roomId: ID!) { messageAdded(roomId: $roomId) { body } }';
  const look = 'query Look($roomId: ID!) { room(id: $roomId) { name } }';
  const operations: [string, object][] = [
    ['a mutation', { query: send }],
    ['a query', { query: look }],
    ['a mutation beside a subscription', { query: `${watch} ${send}`, operationName: 'Send' }],
    ['a query before a subscription', { query: `${look} ${watch}`, operationName: 'Look' }],
  ];

  it('is answered in time unless it is a subscription, even if it accepts an event stream first', async () => {
    const token = await newcomer();
    await using held = await lock('users');
    const from = performance.now();
    const answers = await Promise.all(
      operations.flatMap(([what, body]) =>
        ['text/event-stream', 'text/event-stream, application/json', 'application/json'].map(async (accept) => {
          const response = await post({ ...body, variables: { roomId } }, token, accept);
          return { what, accept, status: response.status, code: await codeOf(response) };
        }),
      ),
    );
    for (const { what, accept, ...answer } of answers) assert.deepEqual(answer, { status: 503, code: 'UNAVAILABLE' }, `${what}, ${accept}`);
    assert.ok(performance.now() - from < 6000);
    await held.release();
  });

  it('is answered in time by GET, too', async () => {
    const token = await newcomer();
    await using held = await lock('users');
    const parameters = new URLSearchParams({ query: `${watch} ${look}`, operationName: 'Look', variables: JSON.stringify({ roomId }) });
    const response = await fetch(`${server.url}?${parameters}`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` },
    });
    assert.deepEqual([response.status, await codeOf(response)], [503, 'UNAVAILABLE']);
    await held.release();
  });

  it('is a subscription that waits longer than the deadline if it accepts an event stream first', async () => {
    const token = await newcomer();
    await using held = await lock('users');
    const asked = post({ query: watch, variables: { roomId } }, token, 'text/event-stream');
    const other = await post({ query: look, variables: { roomId } }, token, 'application/json');
    assert.equal(other.status, 503);
    await held.release();
    const response = await asked;
    assert.equal(response.status, 200);
    await response.body?.cancel();
    await until('nobody watches', () => server.app.liveRooms.size === 0);
  });

  it('may sign in after the deadline without an error: its client has got a 503, and signs in again', async () => {
    const countUsers = async () => {
      const { count } = await server.app.storage.db
        .selectFrom('users')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    };
    const before = await countUsers();
    await using held = await lock('users');
    // A statement gives up after 3 seconds, so the deadline passes while the second of them waits.
    const signInTwice = 'mutation { first: signIn(input: { name: "Bea" }) { token } second: signIn(input: { name: "Bea" }) { token } }';
    const response = await post({ query: signInTwice }, undefined, 'application/json');
    assert.deepEqual([response.status, await codeOf(response), response.headers.get('set-cookie')], [503, 'UNAVAILABLE', null]);
    await held.release();
    await until('the guest exists', async () => (await countUsers()) === before + 1);
    // The resolver has ended once the server has answered another sign-in.
    assert.equal(
      (await post({ query: 'mutation { signIn(input: { name: "Bea" }) { token } }' }, undefined, 'application/json')).status,
      200,
    );
    assert.deepEqual(errors(), []);
  });
});
