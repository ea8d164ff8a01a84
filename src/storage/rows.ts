// Rows by their ids, for all who ask at about the same time in one query. What is read is read after it was asked for:
// nothing is remembered.

import { Batch } from './batch.ts';
import { findMessages } from './messages.ts';
import type { Db, MessageRow, UserRow } from './tables.ts';
import { findUsers } from './users.ts';

/** Rows in one query. */
const rowsPerQuery = 1000;

export class Rows {
  readonly #users: Batch<string, UserRow | undefined>;
  readonly #messages: Batch<string, MessageRow | undefined>;

  constructor(db: Db) {
    this.#users = batchOf((ids) => findUsers(db, ids));
    this.#messages = batchOf((ids) => findMessages(db, ids));
  }

  /** Those of the users that there are. */
  users(ids: readonly string[]): Promise<UserRow[]> {
    return findAll(this.#users, ids);
  }

  /** Those of the messages that there are. */
  messages(ids: readonly string[]): Promise<MessageRow[]> {
    return findAll(this.#messages, ids);
  }
}

const batchOf = <Row extends { readonly id: string }>(find: (ids: readonly string[]) => Promise<Row[]>) =>
  new Batch<string, Row | undefined>(rowsPerQuery, async (ids) => {
    const found = new Map((await find([...new Set(ids)])).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id));
  });

const findAll = async <Row>(batch: Batch<string, Row | undefined>, ids: readonly string[]): Promise<Row[]> =>
  (await Promise.all(ids.map((id) => batch.ask(id)))).filter((row) => row !== undefined);
