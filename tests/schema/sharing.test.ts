// Shared executions: one execution serves all subscribers, and its result contains nothing that depends on a viewer.

import assert from 'node:assert/strict';
import { after, before, describe, it, mock } from 'node:test';
import {
  type ExecutionResult,
  executeSubscriptionEvent,
  type GraphQLField,
  type GraphQLOutputType,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  parse,
  type ValidatedSubscriptionArgs,
  validate,
  validateSubscriptionArgs,
} from 'graphql';
import { addMember, removeMember } from '../../src/chat/members.ts';
import { deleteMessage, editMessage, sendMessage } from '../../src/chat/messages.ts';
import { deleteRoom, updateRoom } from '../../src/chat/rooms.ts';
import type { Delivery } from '../../src/feed/delivery.ts';
import type { Context } from '../../src/schema/context.ts';
import { schema } from '../../src/schema/index.ts';
import { sharedContext, sharingOf } from '../../src/schema/sharing.ts';
import type { LogEntry } from '../../src/storage/room-log.ts';
import { createGuest } from '../../src/storage/users.ts';
import { RoomEventsDocument } from '../../web/src/gql/graphql.ts';
import { EventStream } from '../support/event-stream.ts';
import { until } from '../support/process.ts';
import { Guest, type Server, silentLog, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';
import { chatOn, createOwnedRoom, openTestStorage, range, readAll, type TestStorage } from '../support/storage.ts';

type Field = GraphQLField<unknown, unknown>;
type Resolved = { resolve: NonNullable<Field['resolve']> };

/**
 * Every field that is reachable from an event of roomEvents, with the shortest path to it. Paths through a field that is
 * declared to depend on the viewer are left out, because such results are never shared.
 */
function* fieldsOfEvents(): Generator<{ name: string; field: Field; isInterface: boolean; query: string }> {
  const queue: { type: string; path: (selection: string) => string }[] = [{ type: 'RoomEvent', path: (selection) => selection }];
  const seen = new Set(['RoomEvent']);
  for (const { type: typeName, path } of queue) {
    const type = schema.getType(typeName);
    if (isInterfaceType(type) || isObjectType(type)) {
      for (const field of Object.values(type.getFields()) as Field[]) {
        const inner = getNamedType(field.type as GraphQLOutputType);
        const leaf = isCompositeType(inner) ? `${field.name} { __typename }` : field.name;
        yield {
          name: `${typeName}.${field.name}`,
          field,
          isInterface: isInterfaceType(type),
          query: `subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { ${path(leaf)} } }`,
        };
        if (!isCompositeType(inner) || seen.has(inner.name) || field.extensions['dependsOnViewer']) continue;
        seen.add(inner.name);
        queue.push({ type: inner.name, path: (selection) => path(`${field.name} { ${selection} }`) });
      }
    }
    if (!isInterfaceType(type)) continue;
    for (const { name } of schema.getPossibleTypes(type)) {
      if (seen.has(name)) continue;
      seen.add(name);
      queue.push({ type: name, path: (selection) => path(`... on ${name} { ${selection} }`) });
    }
  }
}

describe('a field of an event', () => {
  let opened: TestStorage;
  let context: Context;
  let roomId: string;
  let deliveries: readonly Delivery[];
  before(async () => {
    opened = await openTestStorage('PGlite');
    const chat = chatOn(opened.db);
    const bob = (await createGuest(opened.db, 'Bob')).id;
    const owned = await createOwnedRoom(chat, 'PRIVATE', [bob]);
    ({ roomId } = owned);
    const { userId } = owned;
    const { message } = await sendMessage(chat, userId, { roomId, body: 'one' });
    await editMessage(chat, userId, message.id, 'another');
    await sendMessage(chat, bob, { roomId, body: 'two' });
    await updateRoom(chat, userId, roomId, { name: 'Renamed' });
    await deleteMessage(chat, userId, message.id);
    await addMember(chat, userId, roomId, (await createGuest(opened.db, 'Cleo')).id);
    // Last, because a message that was changed after someone left depends on the viewer in every selection.
    await removeMember(chat, userId, roomId, bob);
    await deleteRoom(chat, userId, roomId);
    const entries = await readAll(opened.db, roomId);
    const head = entries.at(-1) as LogEntry;
    deliveries = [...entries, { ...head, type: 'HistoryTrimmed', throughNumber: 1 }, { ...head, type: 'CaughtUp' }];
    // The parts of the context that the fields of events use. Feeds read without the share of a viewer.
    context = { storage: { ...opened.storage, reads: () => opened.db }, chat, log: silentLog } as unknown as Context;
  });
  after(() => opened[Symbol.asyncDispose]());

  const execute = (args: ValidatedSubscriptionArgs, rootValue: unknown, contextValue: Context) =>
    executeSubscriptionEvent({ ...args, rootValue, contextValue }) as Promise<ExecutionResult>;

  for (const { name, field, isInterface, query } of fieldsOfEvents()) {
    it(`is declared to depend on the viewer exactly if it does: ${name}`, async (t) => {
      const document = parse(query);
      assert.deepEqual(validate(schema, document), []);
      const args = validateSubscriptionArgs({ schema, document, contextValue: context, variableValues: { roomId } });
      assert.ok('schema' in args);
      const dependent: string[] = [];
      // A column of a row has no resolver of its own, so it cannot read the viewer.
      const resolve = field.resolve && t.mock.method(field as Resolved, 'resolve');
      for (const delivery of deliveries) {
        const { context: shared, viewerSeen } = sharedContext(context);
        const { errors } = await execute(args, delivery, shared);
        if (viewerSeen()) dependent.push(delivery.type);
        else assert.equal(errors, undefined);
      }
      const sharing = sharingOf(args);
      const own = deliveries.filter(({ type }) => !sharing?.covers(type)).map(({ type }) => type);
      const declared = own.length > 0;
      assert.equal(declared, dependent.length > 0, `the viewer is read for ${dependent.join()}`);
      for (const type of dependent) assert.ok(own.includes(type as Delivery['type']), `${type} is shared`);
      // A resolver that was never called proves nothing. The fields of an interface are resolved by its object types.
      assert.ok(declared || isInterface || !resolve || resolve.mock.callCount() > 0, 'it was never resolved');
    });
  }
});

it('the stream of the web chat is the same for every viewer, except for MemberJoined', () => {
  const args = validateSubscriptionArgs({ schema, document: RoomEventsDocument, variableValues: { roomId: 'room_0' } });
  assert.ok('schema' in args);
  const sharing = sharingOf(args);
  const types = ['MessageAdded', 'MessageEdited', 'MessageDeleted', 'MemberJoined', 'MemberLeft', 'HistoryTrimmed', 'RoomDeleted'];
  assert.deepEqual(
    types.filter((type) => !sharing?.covers(type)),
    ['MemberJoined'],
  );
});

describe('1,000 subscribers of one operation', { timeout: 120_000 }, () => {
  const perSocket = 25;
  const messages = 20;
  let server: Server;
  let guests: Guest[];
  let roomId: string;
  /** Called once for each execution of an event of `roomEvents`. */
  const { mock: executions } = mock.method(schema.getSubscriptionType()?.getFields()['roomEvents'] as Resolved, 'resolve');

  before(async () => {
    server = await startServer({ storage: 'PostgreSQL' });
    guests = await Promise.all(range(1, 36).map((i) => Guest.signIn(server.url, `Guest ${i}`)));
    roomId = await (guests[0] as Guest).createRoom();
  });
  after(async () => {
    executions.restore();
    await server[Symbol.asyncDispose]();
  });

  const joinAll = (room: string) =>
    Promise.all(
      guests
        .slice(1)
        .map((guest) =>
          guest.must('mutation ($roomId: ID!) { joinRoom(input: { roomId: $roomId }) { membership { id } } }', { roomId: room }),
        ),
    );

  /** Opens 900 subscriptions on the sockets of 36 guests and 100 event streams. `take` returns what each of them received. */
  async function watchAll(selection: string) {
    const query = `subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename ${selection} } }`;
    const sockets = await Promise.all(guests.map((guest) => RawSocket.signedIn(server.url, guest.token)));
    for (const socket of sockets) for (const id of range(1, perSocket)) socket.subscribe(String(id), query, { roomId });
    for (const socket of sockets)
      for (const _ of range(1, perSocket)) assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
    const streams = await Promise.all(
      range(0, 99).map(async (i) => {
        const guest = guests[i % guests.length] as Guest;
        const stream = await EventStream.open(guest, query, { variables: { roomId } });
        return { guest, stream };
      }),
    );
    const nextOf = async (stream: EventStream) => {
      for (;;) {
        const event = await stream.next();
        if (event?.event === 'next') return { id: event.id, data: JSON.parse(event.data as string).data.roomEvents };
      }
    };
    for (const { stream } of streams) assert.equal((await nextOf(stream)).data.__typename, 'CaughtUp');
    return {
      async take(count: number) {
        const received = [];
        for (const [index, socket] of sockets.entries()) {
          const byId = new Map<string, unknown[]>();
          for (const _ of range(1, count * perSocket)) {
            const { id = '', payload } = await socket.next();
            byId.set(id, [...(byId.get(id) ?? []), payload.data.roomEvents]);
          }
          received.push(...[...byId.values()].map((events) => ({ guest: guests[index] as Guest, events })));
        }
        for (const { guest, stream } of streams) {
          const events = [];
          for (const _ of range(1, count)) events.push((await nextOf(stream)).data);
          received.push({ guest, events });
        }
        assert.equal(received.length, 1000);
        return received;
      },
      async close() {
        for (const socket of sockets) socket.terminate();
        for (const { stream } of streams) stream.close();
        await until('no room is watched', () => server.app.liveRooms.size === 0);
      },
    };
  }

  it('cost one execution for each message, over WebSocket and event streams alike', async () => {
    const watching = await watchAll('... on MessageAdded { message { number body sender { name } } }');
    executions.resetCalls();
    const [ada] = guests as [Guest];
    for (const i of range(1, messages)) await ada.send(roomId, `Nachricht ${i} 안녕 😀`);
    const expected = range(1, messages).map((i) => ({
      __typename: 'MessageAdded',
      message: { number: i, body: `Nachricht ${i} 안녕 😀`, sender: { name: 'Guest 1' } },
    }));
    for (const { events } of await watching.take(messages)) assert.deepEqual(events, expected);
    assert.equal(executions.callCount(), messages);
    await watching.close();
  });

  it('cost one execution each if the selection depends on the viewer, and each receives their own values', async () => {
    roomId = await (guests[0] as Guest).createRoom();
    await joinAll(roomId);
    const watching = await watchAll('room { viewerMembership { user { id } } }');
    executions.resetCalls();
    await (guests[0] as Guest).send(roomId, 'hello');
    for (const { guest, events } of await watching.take(1)) {
      assert.deepEqual(events, [{ __typename: 'MessageAdded', room: { viewerMembership: { user: { id: guest.userId } } } }]);
    }
    assert.equal(executions.callCount(), 1000);
    await watching.close();
  });

  it('cost one execution for each message if only other events depend on the viewer, and each receives their own values of those', async () => {
    roomId = await (guests[0] as Guest).createRoom();
    await joinAll(roomId);
    const watching = await watchAll(
      '... on MessageAdded { message { body } } ... on RoomUpdated { ...Own } } } fragment Own on RoomUpdated { room { viewerMembership { user { id } }',
    );
    const [ada] = guests as [Guest];
    const say = async (...bodies: string[]) => {
      executions.resetCalls();
      for (const body of bodies) await ada.send(roomId, body);
      const said = bodies.map((body) => ({ __typename: 'MessageAdded', message: { body } }));
      for (const { events } of await watching.take(bodies.length)) assert.deepEqual(events, said);
      assert.equal(executions.callCount(), bodies.length);
    };
    await say('one', 'two', 'three');
    executions.resetCalls();
    await ada.must('mutation ($roomId: ID!) { updateRoom(input: { roomId: $roomId, name: "New" }) { room { id } } }', { roomId });
    for (const { guest, events } of await watching.take(1)) {
      assert.deepEqual(events, [{ __typename: 'RoomUpdated', room: { viewerMembership: { user: { id: guest.userId } } } }]);
    }
    assert.equal(executions.callCount(), 1000);
    await say('four', 'five');
    await watching.close();
  });
});
