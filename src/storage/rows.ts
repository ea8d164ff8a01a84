// Loads rows by key, together with those that are requested at about the same time.

import { type BatchLoader, loaderOf } from './batch-loader.ts';
import { findStandings, type Standing } from './members.ts';
import { findLastMessagesForMembers, findMessages } from './messages.ts';
import type { RoomView } from './rooms.ts';
import type { Db, MessageRow, UserRow } from './tables.ts';
import { findUsers } from './users.ts';

const rowsPerQuery = 1000;

type Loader<Row> = BatchLoader<string, Row>;

export class Rows {
  readonly #users: Loader<UserRow>;
  readonly #messages: Loader<MessageRow>;
  readonly #standings: Loader<Standing>;
  readonly #lastMessages: Loader<MessageRow>;

  constructor(db: Db) {
    this.#users = loaderOf(rowsPerQuery, distinct(byKey((ids) => findUsers(db, ids), idOf)));
    this.#messages = loaderOf(rowsPerQuery, distinct(byKey((ids) => findMessages(db, ids), idOf)));
    this.#standings = loaderOf(
      rowsPerQuery,
      distinct((keys) => findStandings(db, keys.map(toView))),
    );
    this.#lastMessages = loaderOf(rowsPerQuery, distinct(byKey((ids) => findLastMessagesForMembers(db, ids), roomIdOf)));
  }

  /** The users with these ids that exist. */
  users(ids: readonly string[]): Promise<UserRow[]> {
    return loadAll(this.#users, ids);
  }

  /** The messages with these ids that exist. */
  messages(ids: readonly string[]): Promise<MessageRow[]> {
    return loadAll(this.#messages, ids);
  }

  /** The standing of a user in a room. Undefined if there is no such room. */
  standing(viewerId: string, roomId: string): Promise<Standing | undefined> {
    return this.#standings.load(`${viewerId} ${roomId}`);
  }

  /** The newest TALK message of a room that is not deleted. The caller shows it only to members. */
  lastMessage(roomId: string): Promise<MessageRow | undefined> {
    return this.#lastMessages.load(roomId);
  }
}

const idOf = ({ id }: { readonly id: string }) => id;
const roomIdOf = ({ roomId }: MessageRow) => roomId;

/** The opposite of the key in `standing`. Ids contain no space. */
function toView(key: string): RoomView {
  const [viewerId, roomId] = key.split(' ') as [string, string];
  return { viewerId, roomId };
}

type Find<Row> = (keys: readonly string[]) => Promise<readonly (Row | undefined)[]>;

/** Asks for each key once. */
const distinct =
  <Row>(find: Find<Row>): Find<Row> =>
  async (keys) => {
    const different = [...new Set(keys)];
    const rows = await find(different);
    const found = new Map(different.map((key, index) => [key, rows[index]]));
    return keys.map((key) => found.get(key));
  };

/** Puts the rows that a query found in the order of their keys. */
const byKey =
  <Row>(find: (keys: readonly string[]) => Promise<Row[]>, keyOf: (row: Row) => string) =>
  async (keys: readonly string[]): Promise<(Row | undefined)[]> => {
    const found = new Map((await find(keys)).map((row) => [keyOf(row), row]));
    return keys.map((key) => found.get(key));
  };

const loadAll = async <Row>(loader: Loader<Row>, ids: readonly string[]): Promise<Row[]> =>
  (await Promise.all(ids.map((id) => loader.load(id)))).filter((row) => row !== undefined);
