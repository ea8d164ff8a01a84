// Shared by all contenders but Gapless: the message type and its storage. Each publishes the whole message that `addMessage`
// returns, so that none reads the database to deliver it.

import pg from 'pg';

export interface Message {
  readonly id: string;
  readonly roomId: string;
  readonly body: string;
  readonly createdAt: string;
  readonly sender: User;
}

export interface User {
  readonly id: string;
  readonly name: string;
}

export interface SendMessage {
  readonly roomId: string;
  readonly body: string;
}

/** Nobody signs in, so every message has the same sender. */
const sender: User = { id: 'user_1', name: 'Ada' };

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 10 });
pool.on('error', (error) => console.error(error));

/** Resolves when the message is committed. */
export async function addMessage(roomId: string, body: string): Promise<Message> {
  const { rows } = await pool.query<{ id: string; created_at: Date }>(
    'insert into bench_messages (room_id, sender, body) values ($1, $2, $3) returning id, created_at',
    [roomId, sender.id, body],
  );
  const [row] = rows as [{ id: string; created_at: Date }];
  return { id: row.id, roomId, body, createdAt: row.created_at.toISOString(), sender };
}

/** The schema, for contenders that take it as text. Yoga builds the same one with Pothos. */
export const typeDefs = /* GraphQL */ `
  type User {
    id: ID!
    name: String!
  }

  type Message {
    id: ID!
    roomId: ID!
    body: String!
    createdAt: String!
    sender: User!
  }

  type Query {
    hello: String!
  }

  type Mutation {
    sendMessage(roomId: ID!, body: String!): Message!
  }

  type Subscription {
    messageAdded(roomId: ID!): Message!
  }
`;
