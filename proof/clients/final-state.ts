// The final state of a room, read through the public API: its log by a new subscription, its messages page by page.

import type { FinalRoom, Line } from '../history.ts';
import { must } from './api.ts';
import { openStream } from './streams.ts';
import { Watcher } from './watcher.ts';

export interface Room {
  readonly id: string;
  /** The cursor at the beginning of the room. */
  readonly start: string;
}

const timeoutMs = 120_000;
const pageSize = 100;

/** Everything after the start of each room. `token` is of an account that may see the rooms. */
export async function finalState(url: string, rooms: readonly Room[], token: string): Promise<FinalRoom[]> {
  const read: FinalRoom[] = [];
  for (const room of rooms)
    read.push({ room: room.id, log: await readLog(url, room, token), messages: await readMessages(url, room, token) });
  return read;
}

async function readLog(url: string, { id, start }: Room, token: string): Promise<FinalRoom['log']> {
  const log: FinalRoom['log'][number][] = [];
  const { promise: read, resolve, reject } = Promise.withResolvers<void>();
  const record = (line: Line) => {
    if (line.type === 'end' && line.how !== 'lost') reject(new Error(`The log of ${id} cannot be read: ${line.how} ${line.why}.`));
    if (line.type !== 'event') return;
    if (line.event === 'CaughtUp') return resolve();
    const { cursor, event, message, userId } = line;
    log.push({ cursor, event, ...(message && { message }), ...(userId !== undefined && { userId }) });
  };
  const watcher = new Watcher({
    name: 'final',
    roomId: id,
    after: start,
    viewer: '',
    token,
    urls: [url],
    node: 0,
    selection: 'shared',
    record,
  });
  const stream = openStream('websocket', watcher);
  const timer = setTimeout(() => reject(new Error(`The log of ${id} was not read to its end within ${timeoutMs} ms.`)), timeoutMs);
  try {
    await read;
  } finally {
    clearTimeout(timer);
    stream.close();
  }
  return log;
}

async function readMessages(url: string, { id, start }: Room, token: string): Promise<FinalRoom['messages']> {
  const messages: FinalRoom['messages'][number][] = [];
  for (let after = start, more = true; more; ) {
    const { room } = await must([url], token, pageQuery, { id, first: pageSize, after });
    for (const { cursor, node } of room.messages.edges) {
      const { id, number, body, clientMessageId: key } = node;
      messages.push({ id, number, body, cursor, key });
      after = cursor;
    }
    more = room.messages.pageInfo.hasNextPage;
  }
  return messages;
}

const pageQuery = `query ($id: ID!, $first: Int!, $after: String!) {
  room(id: $id) {
    messages(first: $first, after: $after) { edges { cursor node { id number body clientMessageId } } pageInfo { hasNextPage } }
  }
}`;
