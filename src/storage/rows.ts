// Loads rows by id: one query for all ids that are requested in one turn of the event loop. Nothing is cached, so each row is
// read after it was requested.

import DataLoader from 'dataloader';
import { findMessages } from './messages.ts';
import type { Db, MessageRow, UserRow } from './tables.ts';
import { findUsers } from './users.ts';

const rowsPerQuery = 1000;

type Loader<Row> = DataLoader<string, Row | undefined>;

export class Rows {
  readonly #users: Loader<UserRow>;
  readonly #messages: Loader<MessageRow>;

  constructor(db: Db) {
    this.#users = loaderOf((ids) => findUsers(db, ids));
    this.#messages = loaderOf((ids) => findMessages(db, ids));
  }

  /** The users with these ids that exist. */
  users(ids: readonly string[]): Promise<UserRow[]> {
    return loadAll(this.#users, ids);
  }

  /** The messages with these ids that exist. */
  messages(ids: readonly string[]): Promise<MessageRow[]> {
    return loadAll(this.#messages, ids);
  }
}

const loaderOf = <Row extends { readonly id: string }>(find: (ids: readonly string[]) => Promise<Row[]>): Loader<Row> =>
  new DataLoader(
    async (ids) => {
      const found = new Map((await find([...new Set(ids)])).map((row) => [row.id, row]));
      return ids.map((id) => found.get(id));
    },
    { cache: false, maxBatchSize: rowsPerQuery },
  );

const loadAll = async <Row>(loader: Loader<Row>, ids: readonly string[]): Promise<Row[]> =>
  (await Promise.all(ids.map((id) => loader.load(id)))).filter((row) => row !== undefined);
