// Nodes of the previous version on the database of this one: they go on while it migrates, and start again after it has.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { checkOutPrevious } from '../proof/rig/previous.ts';
import { programEnv } from './support/node.ts';
import { createDatabase } from './support/postgres.ts';
import { freePort, start, until } from './support/process.ts';
import { Guest, startServer } from './support/server.ts';

it('a node of the previous version serves while this version migrates, and starts again', { timeout: 240_000 }, async (test) => {
  const previous = await checkOutPrevious().catch((error: Error) => error);
  if (previous instanceof Error) {
    assert.match(previous.message, /no git history/);
    return test.skip(previous.message);
  }
  using _previous = previous;
  await using database = await createDatabase();
  const env = { DATABASE_URL: database.url, IDENTITY: 'guest', REDIS_URL: process.env['REDIS_URL'] as string };
  const launch = async () => {
    const port = String(await freePort());
    const program = start(process.execPath, [previous.main], { env: programEnv({ ...env, PORT: port, DATABASE_POOL_SIZE: '2' }) });
    const url = `http://127.0.0.1:${port}/graphql`;
    await until(
      'the previous version is ready',
      () => {
        if (!program.running) throw new Error(`The previous version ended:\n${program.output()}`);
        return fetch(new URL('/ready', url)).then(
          ({ ok }) => ok,
          () => false,
        );
      },
      100_000,
    );
    return { url, [Symbol.asyncDispose]: async () => void (await program.stop('SIGKILL')) };
  };
  await using running = await launch();
  const guest = await Guest.signIn(running.url);
  const roomId = await guest.createRoom();
  const rooms = await Promise.all(Array.from({ length: 20 }, () => guest.createRoom()));
  const sendToAll = () => Promise.all(rooms.map((room) => guest.send(room, 'by the previous version')));
  // Each of its connections has prepared its statements when the tables change.
  for (let round = 0; round < 10; round += 1) await sendToAll();
  await using server = await startServer({ env });
  for (let round = 0; round < 10; round += 1) await sendToAll();
  await guest.send(roomId, 'by the previous version');
  await guest.at(server.url).send(roomId, 'by this version');
  await using again = await launch();
  assert.equal((await guest.at(again.url).send(roomId, 'by one that was started later')).message.number, 3);
});
