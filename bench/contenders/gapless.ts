// Gapless as a node of a cluster. Users sign in and join rooms, and every message has a clientMessageId, so that the whole
// promise is measured.

import { must, signIn } from '../../proof/clients/api.ts';
import type { Contender } from '../contender.ts';
import { routesOf } from '../load/fixture.ts';
import { inParallel, range } from '../load/parallel.ts';
import { body } from '../load/protocol.ts';
import { type Dialect, graphqlOverHttp, graphqlOverWebSocket, selection } from '../load/protocols/graphql.ts';

/** Concurrent requests during preparation. */
const askAtOnce = 16;

const dialect: Dialect = {
  sendMutation: `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { ${selection} } } }`,
  sendVariables: (roomId) => ({ input: { roomId, body, clientMessageId: crypto.randomUUID() } }),
};
const createRoom = 'mutation ($name: String!) { createRoom(input: { name: $name, kind: OPEN }) { room { id } } }';
const joinRoom = 'mutation ($roomId: ID!) { joinRoom(input: { roomId: $roomId }) { membership { id } } }';

const hook = new URL('./one-transaction-per-send.ts', import.meta.url);

export const gapless: Contender = {
  name: 'gapless',
  title: 'Gapless',
  program: new URL('../../src/main.js', import.meta.url),
  env: { IDENTITY: 'guest', LOG_LEVEL: 'warn', DRAIN_DELAY_MS: '0', RATE_LIMITS: 'off', DATABASE_POOL_SIZE: '10' },
  packages: [],
  writePath: new URL('./gapless-write-path.ts', import.meta.url),
  webSocket: graphqlOverWebSocket(dialect),
  http: graphqlOverHttp(dialect),
  isReady: (_printed, port) =>
    fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  async prepare(port, needs) {
    const urls = [`http://127.0.0.1:${port}/graphql`];
    const people = await inParallel(range(needs.viewers + needs.senders), askAtOnce, (index) => signIn(urls, `Person ${index}`));
    const tokens = people.map(({ token }) => token);
    const senders = tokens.slice(needs.viewers);
    // The creator of a room is a member of it. The other senders join.
    const routes = routesOf(needs);
    const rooms = await inParallel(routes.slice(0, needs.rooms), askAtOnce, async ({ sender, room }) => {
      const { createRoom: created } = await must(urls, senders[sender], createRoom, { name: `Room ${room}` });
      return created.room.id as string;
    });
    await inParallel(routes.slice(needs.rooms), askAtOnce, ({ sender, room }) =>
      must(urls, senders[sender], joinRoom, { roomId: rooms[room] }),
    );
    return { rooms, viewers: tokens.slice(0, needs.viewers), senders };
  },
};

/** The same server without group commit: each send has its own transaction. */
export const oneTransactionPerSend: Contender = {
  ...gapless,
  name: 'gapless-single',
  title: 'Gapless without group commit',
  nodeArgs: ['--import', hook.href],
};
