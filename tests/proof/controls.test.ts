// Each control starts, answers, and fails in the way of its name where the server does not. Every control has a test here.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import pg from 'pg';
import { argumentsFor, controls } from '../../proof/controls/controls.ts';
import { shortFaults } from '../../proof/faults/catalogue.ts';
import { openStorage } from '../../src/storage/database.ts';
import * as gql from '../gql/graphql.ts';
import { recordCommits, recordedCommits, setDefault } from '../support/commits.ts';
import { FailingDatabase } from '../support/failing-database.ts';
import { type ServerNode, startNode } from '../support/node.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { createDatabase, startPostgres } from '../support/postgres.ts';
import { freePort, run, until } from '../support/process.ts';
import { Guest, type Server, silentLog, startServer } from '../support/server.ts';
import { Watch } from '../support/watch.ts';

type Events = Watch<gql.RoomEventsSubscription>;

/** Starts a node as a control, or as the server is. */
function start(control: string | undefined, env: Record<string, string>): Promise<ServerNode> {
  const flags = control === undefined ? {} : { NODE_OPTIONS: argumentsFor({ name: control }).join(' ') };
  return startNode({ IDENTITY: 'guest', LOG_LEVEL: 'warn', ...flags, ...env });
}

const numbersOf = ({ results }: Events) =>
  results.flatMap(({ roomEvents }) => (roomEvents.__typename === 'MessageAdded' ? [roomEvents.message.number] : []));
const caughtUp = ({ results }: Events) => results.some(({ roomEvents }) => roomEvents.__typename === 'CaughtUp');

/** A stream, once it is live. */
async function watch(guest: Guest, roomId: string, after?: string): Promise<Events> {
  const events: Events = new Watch(guest, gql.RoomEventsDocument, { roomId, ...(after === undefined ? {} : { after }) });
  await until('the stream is live', () => caughtUp(events));
  return events;
}

const has = (events: Events, number: number) => until(`message ${number} is there`, () => numbersOf(events).includes(number));

/** The process that flushes what was committed without a flush. */
async function findWalWriter(url: string): Promise<string> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query(`select pid from pg_stat_activity where backend_type = 'walwriter'`);
  await client.end();
  return String(rows[0].pid);
}

describe('a control', () => {
  const services = new AsyncDisposableStack();
  const env: Record<string, string> = { REDIS_URL: process.env['REDIS_URL'] as string };
  /** The server as it is. */
  let sound: ServerNode;
  /** On the same database, without Redis: what is sent here is lost on the bus. */
  let offBus: Server;
  before(async () => {
    env['DATABASE_URL'] = services.use(await createDatabase()).url;
    offBus = services.use(await startServer({ env: { DATABASE_URL: env['DATABASE_URL'], IDENTITY: 'guest' } }));
    sound = services.use(await start(undefined, env));
  });
  after(() => services.disposeAsync());

  /** Runs it on the server as it is and on the control, side by side. */
  async function compare<T>(control: string, run: (url: string) => Promise<T>): Promise<{ right: T; wrong: T }> {
    await using node = await start(control, env);
    const [right, wrong] = await Promise.all([run(sound.url), run(node.url)]);
    return { right, wrong };
  }

  const tested = new Set<string>();
  /** A test of what a control breaks. */
  const shows = (control: string, what: string, test: () => Promise<void>) => {
    tested.add(control);
    it(`${control} ${what}`, test);
  };

  it('has a test in this file', () => {
    assert.deepEqual([...tested].sort(), controls.flatMap(({ name, sound }) => (sound ? [] : [name])).sort());
  });

  it('is listed by the name of its folder', () => {
    const folders = readdirSync(join(import.meta.dirname, '../../proof/controls'), { withFileTypes: true }).filter((each) =>
      each.isDirectory(),
    );
    const broken = controls.filter(({ sound }) => !sound);
    assert.deepEqual(broken.map(({ name }) => name).sort(), folders.map(({ name }) => name).sort());
  });

  it('names faults that there are', () => {
    const names = shortFaults().map(({ name }) => name);
    for (const words of controls.flatMap(({ revealedBy }) => revealedBy))
      assert.ok(
        names.some((name) => name.includes(words)),
        words,
      );
  });

  shows('no-gap-read', 'skips what was lost when the next entry arrives', async () => {
    const { right, wrong } = await compare('no-gap-read', async (url) => {
      const ada = await Guest.signIn(url);
      const roomId = await ada.createRoom();
      await using events = await watch(ada, roomId);
      await ada.send(roomId, 'one');
      await has(events, 1);
      await ada.at(offBus.url).send(roomId, 'two');
      await ada.send(roomId, 'three');
      await has(events, 3);
      return numbersOf(events);
    });
    assert.deepEqual(right, [1, 2, 3]);
    assert.deepEqual(wrong, [1, 3]);
  });

  shows('no-head-check', 'does not find what was lost last', async () => {
    const nowhere = `redis://127.0.0.1:${await freePort()}`;
    await using right = await start(undefined, { ...env, REDIS_URL: nowhere });
    await using wrong = await start('no-head-check', { ...env, REDIS_URL: nowhere });
    const ada = await Guest.signIn(right.url);
    const roomId = await ada.createRoom();
    await using found = await watch(ada, roomId);
    await using missed = await watch(ada.at(wrong.url), roomId);
    for (let number = 1; number <= 4; number += 1) {
      await ada.send(roomId, 'lost');
      await has(found, number);
    }
    assert.deepEqual(numbersOf(missed), []);
  });

  shows('read-before-subscribing', 'skips what is committed between the two', async () => {
    const { right, wrong } = await compare('read-before-subscribing', async (url) => {
      const ada = await Guest.signIn(url);
      const roomId = await ada.createRoom();
      let { cursor } = (await ada.send(roomId, 'first')).message;
      let sending = true;
      const senders = Array.from({ length: 4 }, async () => {
        while (sending) ({ cursor } = (await ada.send(roomId, 'more')).message);
      });
      let gaps = 0;
      for (let resumed = 0; resumed < 30 && gaps === 0; resumed += 1) {
        await using events = await watch(ada, roomId, cursor);
        const seen = numbersOf(events).length;
        await until('it goes on', () => numbersOf(events).length > seen);
        const numbers = numbersOf(events);
        gaps += (numbers.at(-1) as number) - (numbers[0] as number) + 1 - numbers.length;
      }
      sending = false;
      await Promise.all(senders);
      return gaps;
    });
    assert.equal(right, 0);
    assert.notEqual(wrong, 0);
  });

  shows('no-idempotency-key', 'writes a retry as a message of its own', async () => {
    const { right, wrong } = await compare('no-idempotency-key', async (url) => {
      const ada = await Guest.signIn(url);
      const roomId = await ada.createRoom();
      return [(await ada.send(roomId, 'once', 'key')).message.number, (await ada.send(roomId, 'once', 'key')).message.number];
    });
    assert.deepEqual(right, [1, 1]);
    assert.deepEqual(wrong, [1, 2]);
  });

  shows('yoga-pubsub', 'delivers live events, and nothing that was missed', async () => {
    const { right, wrong } = await compare('yoga-pubsub', async (url) => {
      const ada = await Guest.signIn(url);
      const roomId = await ada.createRoom();
      const { cursor } = (await ada.send(roomId, 'one')).message;
      await ada.send(roomId, 'two');
      await using events = await watch(ada, roomId, cursor);
      // Nothing waits for its SUBSCRIBE: what is sent before Redis has processed it is lost as well.
      let last = 0;
      await until('something arrives', async () => {
        last = (await ada.send(roomId, 'three')).message.number;
        return numbersOf(events).includes(last - 1);
      });
      await ada.at(offBus.url).send(roomId, 'four');
      await ada.send(roomId, 'five');
      await has(events, last + 2);
      const numbers = numbersOf(events);
      return { missed: numbers.includes(2), lost: numbers.includes(last + 1) };
    });
    assert.deepEqual(right, { missed: true, lost: true });
    assert.deepEqual(wrong, { missed: false, lost: false });
  });

  shows('no-synchronous-commit', 'acknowledges what a crash of PostgreSQL takes', async () => {
    const { postgresSettings } = controls.find(({ name }) => name === 'no-synchronous-commit') ?? {};
    await using postgres = await startPostgres();
    await postgres.stop();
    await postgres.start(postgresSettings);
    const nodes = await Promise.all([undefined, 'no-synchronous-commit'].map((control) => start(control, { DATABASE_URL: postgres.url })));
    await using stack = new AsyncDisposableStack();
    for (const node of nodes) stack.use(node);
    const rooms: { ada: Guest; roomId: string }[] = [];
    for (const { url } of nodes) {
      const ada = await Guest.signIn(url);
      rooms.push({ ada, roomId: await ada.createRoom() });
    }
    // Stopped, because it flushes as soon as it wakes. On a loaded machine that is after the last send.
    const walWriter = await findWalWriter(postgres.url);
    stack.defer(() => run('kill', ['-CONT', walWriter]).then(undefined, () => {}));
    await run('kill', ['-STOP', walWriter]);
    // The control writes last, once the other node has written the marker of its sender: a durable commit of that node would
    // flush what the control had written before.
    const [sound, broken] = rooms as [(typeof rooms)[number], (typeof rooms)[number]];
    const sendTen = async ({ ada, roomId }: typeof sound) => {
      for (let count = 0; count < 10; count += 1) await ada.send(roomId, 'hello');
    };
    await sendTen(sound);
    const marker = 'query ($id: ID!) { room(id: $id) { viewerMembership { readThrough } } }';
    await until('the marker of the sender is written', async () => {
      const { room } = (await sound.ada.must(marker, { id: sound.roomId })) as { room: { viewerMembership: { readThrough: number } } };
      return room.viewerMembership.readThrough === 10;
    });
    await sendTen(broken);
    await run('kill', ['-KILL', walWriter]);
    await postgres.stop('SIGQUIT');
    await postgres.start(postgresSettings);
    const kept = await Promise.all(
      rooms.map(async ({ ada, roomId }) => {
        const read = () => ada.ask(gql.RoomViewDocument, { id: roomId, last: 100 });
        await until('the node reads again', async () => (await read()).data?.room != null);
        return (await read()).data?.room?.messages.edges.length;
      }),
    );
    assert.deepEqual(kept, [10, 0]);
  });

  shows('failed-execution-moves-position', 'skips what it could not read', async () => {
    const run = async (control?: string) => {
      await using database = await FailingDatabase.open(env['DATABASE_URL'] as string);
      await using node = await start(control, { ...env, DATABASE_URL: database.url });
      const ada = await Guest.signIn(sound.url);
      const roomId = await ada.createRoom();
      await using events = await watch(ada.at(node.url), roomId);
      let failed = false;
      void events.ended.then(() => (failed = true));
      const retries = async () => {
        const ready = await fetch(new URL('/ready', node.url));
        return ((await ready.json()) as { counts: { feed: { retries: number } } }).counts.feed.retries;
      };
      database.fail({ kind: 'fails statements', sqlState: 'XX000' });
      await ada.send(roomId, 'one');
      await until('the execution has failed', async () => failed || (await retries()) > 0);
      database.heal();
      await ada.send(roomId, 'two');
      await has(events, 2);
      return numbersOf(events);
    };
    const [right, wrong] = await Promise.all([run(), run('failed-execution-moves-position')]);
    assert.deepEqual(right, [1, 2]);
    assert.deepEqual(wrong, [2]);
  });

  shows('session-durability', 'does not commit durably in a session that it has not opened', async () => {
    const run = async (control?: string) => {
      await using database = await createDatabase();
      await setDefault(database.url, 'synchronous_commit', 'off');
      await using direct = await openStorage({ databaseUrl: database.url, poolSize: 1 }, silentLog);
      await recordCommits(direct.db);
      await using pooler = await startPgBouncer(database.url, 3);
      await using node = await start(control, { DATABASE_URL: pooler.url });
      const ada = await Guest.signIn(node.url);
      const roomId = await ada.createRoom();
      // PgBouncer opens other sessions, of which the node's connections know nothing.
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`.execute(direct.db);
      await until(
        'a send is written',
        async () => (await ada.ask(gql.SendMessageDocument, { input: { roomId, body: 'hello' } })).data != null,
      );
      const commits = await recordedCommits(direct.db);
      return [...new Set(commits.flatMap(({ table, setting }) => (table === 'messages' ? [setting] : [])))];
    };
    const [right, wrong] = await Promise.all([run(), run('session-durability')]);
    assert.deepEqual(right, ['on']);
    assert.deepEqual(wrong, ['off']);
  });
});
