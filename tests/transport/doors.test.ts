// Every way into the server, and every limit of an operation: what exceeds one is refused before it is executed.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Operation, request } from '../support/request.ts';
import { type Guest, type Server, startRoom } from '../support/server.ts';
import { type FrameError, RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';

/** The code of the refusal. Throws if the answer has data. */
type Door = (guest: Guest, operation: Operation) => Promise<{ status: number; code: string | undefined }>;

const overHttp =
  (method: 'GET' | 'POST', accept: string): Door =>
  async (guest, operation) => {
    const response = await request(guest, operation, { method, accept });
    const { data, errors } = (await response.json()) as { data?: unknown; errors?: FrameError[] };
    assert.equal(data, undefined);
    return { status: response.status, code: errors?.[0]?.extensions.code };
  };

const overWebSocket: Door = async ({ url, token }, { query, variables = {} }) => {
  using socket = await RawSocket.signedIn(url, token);
  socket.subscribe('1', query, variables as Record<string, unknown>);
  const { type, payload } = await socket.next();
  assert.ok(type === 'error' || payload.data === undefined);
  const errors = (type === 'error' ? payload : payload.errors) as FrameError[];
  // The socket goes on.
  if (type === 'next') await socket.next();
  assert.equal((await socket.ask('2', '{ viewer { user { name } } }')).payload.data.viewer.user.name, 'Ada');
  return { status: 400, code: errors[0]?.extensions.code };
};

const json = 'application/graphql-response+json';
const doors: Record<string, Door> = {
  POST: overHttp('POST', json),
  GET: overHttp('GET', json),
  'POST for an event stream': overHttp('POST', 'text/event-stream'),
  'GET for an event stream': overHttp('GET', 'text/event-stream'),
  WebSocket: overWebSocket,
};

const aliased = (count: number, field: string) =>
  range(1, count)
    .map((i) => `a${i}: ${field}`)
    .join(' ');
const nestedRooms = (levels: number): string => (levels === 0 ? 'id' : `lastMessage { room { ${nestedRooms(levels - 1)} } }`);
/** Selections of a room that exceed a limit. */
const faults: Record<string, string> = {
  'the depth': nestedRooms(12),
  'the cost': 'messages(first: 100) { nodes { room { messages(first: 100) { nodes { body } } } } }',
  'the cost of texts': `messages(first: 100) { nodes { room { ${aliased(15, `lastMessage { ${aliased(15, 'body')} }`)} } } }`,
  'the names of a field': aliased(16, 'name'),
  'the tokens of a document': 'name '.repeat(2000),
};
/** An introspection that exceeds its limit, beside a field of the operation. */
const introspection = `__schema { types { ${aliased(20, `fields { ${aliased(20, 'name')} args { ${aliased(20, 'name')} } }`)} } }`;

const roots: Record<string, (selection: string) => string> = {
  query: (selection) => `query ($roomId: ID!) { room(id: $roomId) { ${selection} } }`,
  mutation: (selection) =>
    `mutation ($roomId: ID!) { sendMessage(input: { roomId: $roomId, body: "executed" }) { message { room { ${selection} } } } }`,
  subscription: (selection) => `subscription ($roomId: ID!) { messageAdded(roomId: $roomId) { room { ${selection} } } }`,
};

describe('an operation beyond a limit', () => {
  let server: Server;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    ({ server, ada, roomId } = await startRoom());
  });
  after(() => server[Symbol.asyncDispose]());

  const assertNothingExecuted = async () => {
    const { room } = await ada.must<{ room: { lastMessage: null } }, object>(
      'query ($roomId: ID!) { room(id: $roomId) { lastMessage { body } } }',
      { roomId },
    );
    assert.equal(room.lastMessage, null);
    assert.equal(server.app.liveRooms.size, 0);
  };

  for (const [door, send] of Object.entries(doors)) {
    for (const [root, operation] of Object.entries(roots)) {
      // A mutation by GET is refused for another reason.
      if (root === 'mutation' && door.startsWith('GET')) continue;
      for (const [what, selection] of Object.entries(faults)) {
        it(`is refused: ${root}, ${what}, over ${door}`, async () => {
          const { status, code } = await send(ada, { query: operation(selection), variables: { roomId } });
          assert.deepEqual([status, code], [400, 'BAD_USER_INPUT']);
          await assertNothingExecuted();
        });
      }
    }

    it(`is refused: an introspection over ${door}`, async () => {
      const { status, code } = await send(ada, { query: `{ ${introspection} }` });
      assert.deepEqual([status, code], [400, 'BAD_USER_INPUT']);
    });

    // The URL of a GET has 16 KB.
    const size = door.startsWith('GET') ? 10_000 : 50_000;
    const variables: Record<string, object> = {
      'nested lists': { roomId: JSON.parse('['.repeat(500) + ']'.repeat(500)) as unknown },
      'a long list': { roomId: Array(size / 4).fill(1) },
      'a list of objects': { roomId: Array(Math.floor(size / 30)).fill({ a: 1 }) },
      'an object': { roomId: Object.fromEntries(range(1, size / 20).map((i) => [`x${i}`, i])) },
    };
    for (const [what, given] of Object.entries(variables)) {
      for (const root of ['query', 'subscription']) {
        it(`is refused within a second: ${root}, ${what} as an id, over ${door}`, async () => {
          const startMs = performance.now();
          const { status, code } = await send(ada, { query: (roots[root] as (selection: string) => string)('id'), variables: given });
          assert.deepEqual([status, code], [400, 'BAD_USER_INPUT']);
          assert.ok(performance.now() - startMs < 1000);
          await assertNothingExecuted();
        });
      }
    }
  }

  const sendBody = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }';
  const createWith = 'mutation ($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }';
  const inputs: [string, string, () => object][] = [
    ['a body of 50,000 characters', sendBody, () => ({ roomId, body: 'x'.repeat(50_000) })],
    ['a body of 12,000 emoji', sendBody, () => ({ roomId, body: '💥'.repeat(12_000) })],
    ['a clientMessageId of 50,000 characters', sendBody, () => ({ roomId, body: 'x', clientMessageId: 'x'.repeat(50_000) })],
    ['10,000 members', createWith, () => ({ name: 'x', memberIds: Array(10_000).fill('x') })],
    ['a list in a list', createWith, () => ({ name: 'x', memberIds: [['x']] })],
    ['unknown fields', createWith, () => ({ name: 'x', ...Object.fromEntries(range(1, 3000).map((i) => [`x${i}`, i])) })],
  ];
  for (const door of ['POST', 'WebSocket']) {
    for (const [what, query, input] of inputs) {
      it(`is refused within a second: ${what} over ${door}`, async () => {
        const startMs = performance.now();
        await assertInput(door, query, input());
        assert.ok(performance.now() - startMs < 1000);
        await assertNothingExecuted();
      });
    }
  }

  async function assertInput(door: string, query: string, input: object) {
    if (door === 'POST') return assert.equal(await ada.refusal(query, { input }), 'BAD_USER_INPUT');
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const { type, payload } = await socket.ask('1', query, { input });
    const errors = (type === 'error' ? payload : payload.errors) as FrameError[];
    assert.equal(errors[0]?.extensions.code, 'BAD_USER_INPUT');
  }
});
