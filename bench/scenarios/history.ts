// History pages of small, large and very large rooms.

import { encodeCursor } from '../../src/storage/cursor.ts';
import { Histogram } from '../load/histogram.ts';
import { HttpConnection } from '../load/http-connection.ts';
import type { Token } from '../load/protocol.ts';
import { ask } from '../rig/services.ts';
import { gaplessOnly, type Scenario, samplesOf } from './scenario.ts';

/** Messages in each room. */
const sizes = [10_000, 100_000, 1_000_000];
const warmUpTurns = 50;
const turns = 200;

const selection =
  'pageInfo { hasPreviousPage hasNextPage } syncCursor edges { cursor node { id number body createdAt sender { id name } } }';
const pages = {
  first: `query ($id: ID!) { room(id: $id) { messages(last: 50) { ${selection} } } }`,
  after: `query ($id: ID!, $cursor: String) { room(id: $id) { messages(first: 50, after: $cursor) { ${selection} } } }`,
  before: `query ($id: ID!, $cursor: String) { room(id: $id) { messages(last: 50, before: $cursor) { ${selection} } } }`,
};

export const history: Scenario = {
  number: 7,
  title: 'History pages',
  text: `Pages of 50 messages with their senders, over HTTP, one request at a time, in turn from rooms of 10 thousand, 100 thousand and 1 million messages: the page that a client opens a room with, and the pages after and before a cursor in the middle. ${turns} requests of each kind.`,
  maxRounds: 1,
  connections: 1,
  figures: [
    { id: 'history.first.p50', title: 'first page: p50', unit: 'ms', chart: 'less is better' },
    { id: 'history.first.p99', title: 'p99', unit: 'ms' },
    { id: 'history.after.p50', title: 'after the middle: p50', unit: 'ms' },
    { id: 'history.after.p99', title: 'p99', unit: 'ms' },
    { id: 'history.before.p50', title: 'before the middle: p50', unit: 'ms' },
    { id: 'history.before.p99', title: 'p99', unit: 'ms' },
  ],
  contenders: gaplessOnly,
  run: (rig, contender) =>
    rig.with(contender, async (server) => {
      const { databaseUrl } = server;
      const fixture = await contender.prepare(server.port, { rooms: sizes.length, viewers: 20, senders: 1 });
      const requests = [];
      for (const [index, size] of sizes.entries()) {
        const id = fixture.rooms[index] as string;
        const cursor = await fill(databaseUrl, id, size);
        for (const [page, query] of Object.entries(pages)) {
          requests.push({ page, size, json: JSON.stringify({ query, variables: { id, cursor } }), delays: new Histogram() });
        }
      }
      await ask(databaseUrl, 'vacuum analyze messages, room_log, rooms');
      const connection = await HttpConnection.open(server.port);
      for (let turn = -warmUpTurns; turn < turns; turn += 1) {
        for (const { json, delays } of requests) {
          const delayMs = await time(connection, json, fixture.senders[0]);
          if (turn >= 0) delays.add(delayMs);
        }
      }
      connection.destroy();
      return requests.flatMap(({ page, size, delays }) => {
        const values = { [`history.${page}.p50`]: delays.percentile(0.5), [`history.${page}.p99`]: delays.percentile(0.99) };
        return samplesOf(size.toLocaleString('en'), values);
      });
    }),
};

/** Fills a room with messages of all users, as if they had been sent. Returns the cursor in the middle. */
async function fill(databaseUrl: string, roomId: string, count: number): Promise<string> {
  await ask(databaseUrl, fillStatement, [roomId, count]);
  const [middle] = await ask(databaseUrl, 'select seq, tag from room_log where room_id = $1 and seq = $2', [roomId, count / 2]);
  return encodeCursor(roomId, { seq: Number(middle?.['seq']), tag: middle?.['tag'] });
}

const fillStatement = `
  with people as (select array_agg(id) as ids from users),
  sent as (
    select n, floor(random() * 4294967296 - 2147483648)::integer as tag, now() - make_interval(secs => $2::integer - n) as at,
      'message_' || lpad(n || right($1, 10), 26, '0') as id, ids[1 + n % array_length(ids, 1)] as sender_id,
      'The message of this number is ' || n || ', and it goes on for a while as messages do in a room like this.' as body
    from people, generate_series(1, $2::integer) as n
  ),
  added as (
    insert into messages (id, room_id, seq, tag, changed_seq, number, kind, sender_id, body, created_at, client_message_id, sent_hash)
    select id, $1, n, tag, n, n, 'TALK', sender_id, body, at, gen_random_uuid(), encode(sha256(body::bytea), 'hex') from sent
  ),
  logged as (
    insert into room_log (room_id, seq, tag, type, at, message_id) select $1, n, tag, 'MessageAdded', at, id from sent
  )
  update rooms set head_seq = n, head_tag = tag, last_number = n, last_active_at = at, oldest_at = at
    from sent where rooms.id = $1 and n = $2::integer`;

async function time(connection: HttpConnection, json: string, token: Token): Promise<number> {
  const startMs = performance.now();
  const answer = await connection.post('/graphql', json, token);
  const delayMs = performance.now() - startMs;
  if (!answer.includes('"edges":[{') || answer.includes('"errors"')) throw new Error(`A page was refused: ${answer.slice(0, 500)}`);
  return delayMs;
}
