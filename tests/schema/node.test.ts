// A viewer who has lost the right to a room, and still has its ids and idempotency keys, sees nothing of its current state.

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as gql from '../gql/graphql.ts';
import { Guest, startServer } from '../support/server.ts';

const server = await startServer({ storage: 'PostgreSQL' });
after(() => server[Symbol.asyncDispose]());
const ada = await Guest.signIn(server.url, 'Ada');
const bob = await Guest.signIn(server.url, 'Bob');

/** A room that Bob can no longer read, because he was removed or the room was deleted. Returns the ids and the send that he still has. */
async function lose(how: 'removed' | 'deleted' | 'deleted DIRECT') {
  const input = { name: 'Shared', kind: 'PRIVATE' as const, memberIds: [bob.userId] };
  const roomId =
    how === 'deleted DIRECT'
      ? ((await ada.must(gql.OpenDirectRoomDocument, { input: { userId: bob.userId } })).openDirectRoom?.room.id as string)
      : await ada.createRoom(input);
  const clientMessageId = crypto.randomUUID();
  const { message } = await bob.send(roomId, 'mine', clientMessageId);
  const membershipId = (await bob.must(gql.RoomDocument, { id: roomId })).room?.viewerMembership?.id as string;
  if (how === 'removed') {
    await ada.must(gql.RemoveMemberDocument, { roomId, userId: bob.userId });
    await ada.must(gql.UpdateRoomDocument, { input: { roomId, name: 'A secret name', description: 'A secret' } });
    await ada.send(roomId, 'A secret word');
  } else await ada.must(gql.DeleteRoomDocument, { roomId });
  return { roomId, messageId: message.id, membershipId, retry: { roomId, body: 'mine', clientMessageId } };
}

const retryWith = (selection: string) =>
  `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { deduplicated message { id body ${selection} } } }`;

for (const how of ['removed', 'deleted', 'deleted DIRECT'] as const) {
  describe(`a room that was lost (${how})`, () => {
    it('is null by its id, like its messages and memberships', async () => {
      const { roomId, messageId, membershipId } = await lose(how);
      for (const id of [roomId, messageId, membershipId]) {
        const document = 'query ($id: ID!) { node(id: $id) { id ... on Message { body } ... on Room { name } } }';
        assert.deepEqual(await bob.ask(document, { id }), { data: { node: null } });
      }
      assert.deepEqual(await bob.ask('query ($id: ID!) { room(id: $id) { id } }', { id: roomId }), { data: { room: null } });
    });

    it('shows only its id in the answer to a retry', async () => {
      const { roomId, messageId, retry } = await lose(how);
      const document = retryWith(
        `room { id name description subject createdBy { id } memberCount peer { id } viewerMembership { id } lastMessage { body } }`,
      );
      assert.deepEqual(await bob.ask(document, { input: retry }), {
        data: {
          sendMessage: {
            deduplicated: true,
            message: {
              id: messageId,
              body: 'mine',
              room: {
                id: roomId,
                name: '',
                description: null,
                subject: null,
                createdBy: null,
                memberCount: 0,
                peer: null,
                viewerMembership: null,
                lastMessage: null,
              },
            },
          },
        },
      });
    });

    for (const list of ['messages { nodes { body } }', 'members { nodes { user { name } } }', 'messages { syncCursor }']) {
      it(`is NOT_FOUND in the answer to a retry that selects ${list}`, async () => {
        const { retry } = await lose(how);
        const { data, errors } = await bob.ask(retryWith(`room { name ${list} }`), { input: retry });
        assert.deepEqual(data, { sendMessage: null });
        assert.deepEqual(
          errors?.map(({ message, extensions }) => [message, extensions.code]),
          [['There is no such room.', 'NOT_FOUND']],
        );
      });
    }
  });
}

describe('node', () => {
  it('returns each type by its id', async () => {
    const roomId = await ada.createRoom({ name: 'Mine' });
    const { message } = await ada.send(roomId, 'hello');
    const membershipId = (await ada.must(gql.RoomDocument, { id: roomId })).room?.viewerMembership?.id;
    const document = `query ($id: ID!) { node(id: $id) { __typename id
      ... on User { name } ... on Room { label: name } ... on Membership { role user { name } } ... on Message { body room { name } } } }`;
    const node = async (id: unknown) => ((await ada.must(document, { id })) as { node: object }).node;
    assert.deepEqual(await node(ada.userId), { __typename: 'User', id: ada.userId, name: 'Ada' });
    assert.deepEqual(await node(roomId), { __typename: 'Room', id: roomId, label: 'Mine' });
    assert.deepEqual(await node(membershipId), { __typename: 'Membership', id: membershipId, role: 'OWNER', user: { name: 'Ada' } });
    assert.deepEqual(await node(message.id), { __typename: 'Message', id: message.id, body: 'hello', room: { name: 'Mine' } });
  });
});
