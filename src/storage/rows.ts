// Loads rows by key: one query for all keys that are requested in one turn of the event loop, or while a query runs. Nothing
// is cached, so each row is read after it was requested.

import DataLoader from 'dataloader';
import { findStandings, type Standing } from './members.ts';
import { findLastMessagesForMembers, findMessages } from './messages.ts';
import type { RoomView } from './rooms.ts';
import type { Db, MessageRow, UserRow } from './tables.ts';
import { findUsers } from './users.ts';

const rowsPerQuery = 1000;

type Loader<Row> = DataLoader<string, Row | undefined>;

export class Rows {
  readonly #users: Loader<UserRow>;
  readonly #messages: Loader<MessageRow>;
  readonly #standings: Loader<Standing>;
  readonly #lastMessages: Loader<MessageRow>;

  constructor(db: Db) {
    this.#users = loaderOf(byKey((ids) => findUsers(db, ids), idOf));
    this.#messages = loaderOf(byKey((ids) => findMessages(db, ids), idOf));
    this.#standings = loaderOf((keys) => findStandings(db, keys.map(toView)));
    this.#lastMessages = loaderOf(byKey((ids) => findLastMessagesForMembers(db, ids), roomIdOf));
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

/** Puts the rows that a query found in the order of their keys. */
const byKey =
  <Row>(find: (keys: readonly string[]) => Promise<Row[]>, keyOf: (row: Row) => string) =>
  async (keys: readonly string[]): Promise<(Row | undefined)[]> => {
    const found = new Map((await find(keys)).map((row) => [keyOf(row), row]));
    return keys.map((key) => found.get(key));
  };

const loadAll = async <Row>(loader: Loader<Row>, ids: readonly string[]): Promise<Row[]> =>
  (await Promise.all(ids.map((id) => loader.load(id)))).filter((row) => row !== undefined);
