// Every read checks the right to the room: a viewer who loses the right during their operation sees nothing that was
// written after the loss.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parse } from 'graphql';
import type { KyselyPlugin } from 'kysely';
import { removeMember } from '../../src/chat/members.ts';
import { sendMessage } from '../../src/chat/messages.ts';
import type { Context } from '../../src/schema/context.ts';
import { executeOperation } from '../../src/schema/execute.ts';
import { schema } from '../../src/schema/index.ts';
import { createGuest } from '../../src/storage/users.ts';
import { silentLog, storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, openTestStorage, type TestStorage } from '../support/storage.ts';
import { viewerOf } from '../support/viewer.ts';

const secret = 'said after the removal';

/** Operations whose later reads come after the first read of the room. */
const operations: Record<string, string> = {
  'messages within messages': `query ($id: ID!) { room(id: $id) { messages(first: 28) { nodes { room { messages(first: 28) { nodes { room {
    messages(last: 1) { nodes { body } } } } } } } } } }`,
  'messages of a room': 'query ($id: ID!) { room(id: $id) { messages(last: 5) { nodes { body } } } }',
  'the last message of a room': 'query ($id: ID!) { room(id: $id) { lastMessage { body } } }',
  'members of a room': 'query ($id: ID!) { room(id: $id) { members { nodes { user { name } } } } }',
  'the peer within messages':
    'query ($id: ID!) { room(id: $id) { messages { nodes { room { lastMessage { body } members { nodes { id } } } } } } }',
  'a room of a list':
    '{ rooms(filter: { joined: true }) { nodes { messages(last: 5) { nodes { body } } lastMessage { body } members { nodes { user { name } } } } } }',
  'a room by node': 'query ($id: ID!) { node(id: $id) { ... on Room { messages(last: 5) { nodes { body } } lastMessage { body } } } }',
};

for (const name of storages) {
  describe(`a viewer who loses the right to a room, on ${name}`, () => {
    let opened: TestStorage;
    before(async () => {
      opened = await openTestStorage(name);
    });
    after(() => opened[Symbol.asyncDispose]());

    /** Executes an operation as a member who is removed after its statement number `statement`. Then a new member joins and writes. */
    async function executeWhileRemoved(query: string, statement: number) {
      const chat = chatOn(opened.db);
      const { id: viewerId } = await createGuest(opened.db, 'Grace');
      const { roomId, userId } = await createOwnedRoom(chat, 'PRIVATE', [viewerId]);
      await sendMessage(chat, userId, { roomId, body: 'said before' });
      let statements = 0;
      const plugin: KyselyPlugin = {
        transformQuery: ({ node }) => node,
        async transformResult({ result }) {
          statements += 1;
          if (statements === statement) {
            await removeMember(chat, userId, roomId, viewerId);
            await sendMessage(chat, userId, { roomId, body: secret });
          }
          return result;
        },
      };
      const { storage } = opened;
      const context = {
        ...{ storage: { ...storage, reads: () => storage.db.withPlugin(plugin) }, chat, log: silentLog },
        ...{ viewer: viewerOf(viewerId), wanted: () => true, setCookie() {} },
      } as unknown as Context;
      const result = await executeOperation({ schema, document: parse(query), variableValues: { id: roomId }, contextValue: context });
      return { text: JSON.stringify(result), statements };
    }

    for (const [what, query] of Object.entries(operations)) {
      it(`sees nothing that was written after the loss through ${what}`, async () => {
        const { statements } = await executeWhileRemoved(query, Infinity);
        for (let statement = 1; statement <= statements; statement += 1) {
          const { text } = await executeWhileRemoved(query, statement);
          assert.ok(!text.includes(secret), `after statement ${statement}: ${text}`);
          assert.ok(!text.includes('INTERNAL'), text);
        }
      });
    }
  });
}
