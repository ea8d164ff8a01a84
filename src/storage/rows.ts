// Loads rows by id: one query for all ids that are requested in one turn of the event loop, or while a query runs. Nothing is
// cached, so each row is read after it was requested.

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

/**
 * Runs one query at a time. What is requested while a query runs is loaded together by the next one, so that the queries of
 * a busy node grow larger and not more.
 */
function loaderOf<Row extends { readonly id: string }>(find: (ids: readonly string[]) => Promise<Row[]>): Loader<Row> {
  let running: Promise<unknown> | undefined;
  const load = async (ids: readonly string[]) => {
    const query = find([...new Set(ids)]);
    const ended = query.then(
      () => {},
      () => {},
    );
    running = ended;
    void ended.then(() => {
      if (running === ended) running = undefined;
    });
    const found = new Map((await query).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id));
  };
  const schedule = (dispatch: () => void) => {
    if (running) void running.then(() => schedule(dispatch));
    // As DataLoader does: after the promises of this turn, which may request more.
    else void Promise.resolve().then(() => process.nextTick(dispatch));
  };
  return new DataLoader(load, { cache: false, maxBatchSize: rowsPerQuery, batchScheduleFn: schedule });
}

const loadAll = async <Row>(loader: Loader<Row>, ids: readonly string[]): Promise<Row[]> =>
  (await Promise.all(ids.map((id) => loader.load(id)))).filter((row) => row !== undefined);
