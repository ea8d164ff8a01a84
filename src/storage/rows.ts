// Loads rows by key: one query for all keys that are requested in one turn of the event loop, or while a query runs. Nothing
// is cached, so each row is read after it was requested.

import DataLoader from 'dataloader';
import { findStandings, type Standing } from './members.ts';
import { findMessages } from './messages.ts';
import type { RoomView } from './rooms.ts';
import type { Db, MessageRow, UserRow } from './tables.ts';
import { findUsers } from './users.ts';

const rowsPerQuery = 1000;

type Loader<Row> = DataLoader<string, Row | undefined>;

export class Rows {
  readonly #users: Loader<UserRow>;
  readonly #messages: Loader<MessageRow>;
  readonly #standings: Loader<Standing>;

  constructor(db: Db) {
    this.#users = loaderOf(byId((ids) => findUsers(db, ids)));
    this.#messages = loaderOf(byId((ids) => findMessages(db, ids)));
    this.#standings = loaderOf((keys) => findStandings(db, keys.map(toView)));
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

/**
 * Runs one query at a time. What is requested while a query runs is loaded together by the next one, so that the queries of
 * a busy node grow larger and not more. `find` returns a row or undefined for each key, in order.
 */
function loaderOf<Row>(find: (keys: readonly string[]) => Promise<(Row | undefined)[]>): Loader<Row> {
  let running: Promise<unknown> | undefined;
  const load = async (keys: readonly string[]) => {
    const distinct = [...new Set(keys)];
    const query = find(distinct);
    const ended = query.then(
      () => {},
      () => {},
    );
    running = ended;
    void ended.then(() => {
      if (running === ended) running = undefined;
    });
    const rows = await query;
    const found = new Map(distinct.map((key, index) => [key, rows[index]]));
    return keys.map((key) => found.get(key));
  };
  const schedule = (dispatch: () => void) => {
    if (running) void running.then(() => schedule(dispatch));
    // As DataLoader does: after the promises of this turn, which may request more.
    else void Promise.resolve().then(() => process.nextTick(dispatch));
  };
  return new DataLoader(load, { cache: false, maxBatchSize: rowsPerQuery, batchScheduleFn: schedule });
}

/** Puts the rows that a query found in the order of their ids. */
const byId =
  <Row extends { readonly id: string }>(find: (ids: readonly string[]) => Promise<Row[]>) =>
  async (ids: readonly string[]): Promise<(Row | undefined)[]> => {
    const found = new Map((await find(ids)).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id));
  };

const loadAll = async <Row>(loader: Loader<Row>, ids: readonly string[]): Promise<Row[]> =>
  (await Promise.all(ids.map((id) => loader.load(id)))).filter((row) => row !== undefined);
