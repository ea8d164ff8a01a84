// Loads rows by key, together with those that are requested at about the same time.

import { type BatchLoader, loaderOf } from './batch-loader.ts';
import { findStandings, type Standing } from './members.ts';
import { findMessages } from './messages.ts';
import type { RoomView } from './rooms.ts';
import type { Db, MessageRow, UserRow } from './tables.ts';
import { findUsers } from './users.ts';

const rowsPerQuery = 1000;

type Loader<Row> = BatchLoader<string, Row>;

export class Rows {
  readonly #users: Loader<UserRow>;
  readonly #messages: Loader<MessageRow>;
  readonly #standings: Loader<Standing>;

  constructor(db: Db) {
    this.#users = loaderOf(rowsPerQuery, distinct(byId((ids) => findUsers(db, ids))));
    this.#messages = loaderOf(rowsPerQuery, distinct(byId((ids) => findMessages(db, ids))));
    this.#standings = loaderOf(
      rowsPerQuery,
      distinct((keys) => findStandings(db, keys.map(toView))),
    );
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
}

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

/** Puts the rows that a query found in the order of their ids. */
const byId =
  <Row extends { readonly id: string }>(find: (ids: readonly string[]) => Promise<Row[]>) =>
  async (ids: readonly string[]): Promise<(Row | undefined)[]> => {
    const found = new Map((await find(ids)).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id));
  };

const loadAll = async <Row>(loader: Loader<Row>, ids: readonly string[]): Promise<Row[]> =>
  (await Promise.all(ids.map((id) => loader.load(id)))).filter((row) => row !== undefined);
