// What the attacks find in the database: 200,000 rooms, and a room of messages of the largest size.

import pg from 'pg';
import { type Account, must, signIn } from '../../proof/clients/api.ts';

const rooms = 200_000;
const longMessages = 400;
/** 4,000 characters of 4 bytes. */
const longBody = '😀'.repeat(4000);

export async function seedRooms(databaseUrl: string): Promise<void> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    await client.query(
      `insert into rooms (id, kind, name, name_folded, created_at, last_active_at, head_tag, floor_tag)
       select 'room_' || lpad(i::text, 26, '0'), 'OPEN', 'Room of team ' || i, 'room of team ' || i, now(), now() - i * interval '1 second', 1, 1
       from generate_series(1, ${rooms}) i`,
    );
    await client.query('vacuum analyze');
  } finally {
    await client.end();
  }
}

/** Returns the id of an OPEN room of long messages. `url` is of a node without rate limits. */
export async function seedLongRoom(url: string): Promise<string> {
  const { token } = await signIn([url], 'Writer');
  const { createRoom } = await must([url], token, 'mutation { createRoom(input: { name: "Long", kind: OPEN }) { room { id } } }');
  const roomId = createRoom.room.id as string;
  const send = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }';
  for (let sent = 0; sent < longMessages; sent += 20) {
    await Promise.all(Array.from({ length: 20 }, () => must([url], token, send, { input: { roomId, body: longBody } })));
  }
  return roomId;
}

export const createUsers = (url: string, count: number): Promise<Account[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => signIn([url], `Attacker ${index}`)));
