// Which database this is: a random id in the database, renewed when the database turns out to be a copy. What nodes
// keep and publish in Redis is named by it, so that a copy may share a Redis with the original, as a staging system may.

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { type Clock, every, realClock } from '../clock.ts';
import { DatabaseFailure } from './failure.ts';
import type { Db } from './tables.ts';

/** A Redis that several databases may share. */
export interface SharedRedis {
  readonly url: string;
  /** The id of the database of this node. It changes where it is renewed. */
  readonly databaseId: () => string;
}

/** What the names of all keys and topics of a database in Redis begin with. */
export const redisPrefixOf = (databaseId: string): string => `gapless:${databaseId}:`;

/** How often a node reads the id again, because another node may have renewed it. */
const intervalMs = 5000;
/** The name of its row in `secrets`. The value is the place of the database, a space, and the id. */
const name = 'database identity';

export class DatabaseIdentity implements Disposable {
  readonly #db: Db;
  readonly #timer: Disposable;
  #id: string;

  private constructor(db: Db, id: string, clock: Clock) {
    this.#db = db;
    this.#id = id;
    this.#timer = every(clock, intervalMs, () => void this.#refresh());
  }

  static async open(db: Db, clock: Clock = realClock): Promise<DatabaseIdentity> {
    return new DatabaseIdentity(db, await settle(db), clock);
  }

  get id(): string {
    return this.#id;
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  async #refresh(): Promise<void> {
    // While the database is away, its id stays.
    const value = await read(this.#db).catch(() => undefined);
    if (value !== undefined) this.#id = idIn(value);
  }
}

/** Reads the id, after it was created or renewed if it was written at another place. All nodes that start agree. */
async function settle(db: Db): Promise<string> {
  const place = await findPlace(db);
  const found = await read(db);
  if (found?.startsWith(`${place} `)) return idIn(found);
  const value = `${place} ${randomUUID()}`;
  if (found === undefined) {
    const insert = db.insertInto('secrets').values({ name, value });
    await insert.onConflict((oc) => oc.column('name').doNothing()).execute();
  } else {
    // Unless another node has renewed it meanwhile.
    await db.updateTable('secrets').set({ value }).where('name', '=', name).where('value', '=', found).execute();
  }
  return idIn((await read(db)) as string);
}

async function read(db: Db): Promise<string | undefined> {
  return (await db.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirst())?.value;
}

const idIn = (value: string) => value.slice(value.indexOf(' ') + 1);

/**
 * The cluster of databases and the database in it. A standby has that of its primary, so that a failover changes nothing. Where
 * the role may not read the first, the second remains.
 */
async function findPlace(db: Db): Promise<string> {
  const { rows } = await sql<{ oid: number }>`select oid::int8 from pg_database where datname = current_database()`.execute(db);
  return `${await findSystem(db)}/${rows[0]?.oid}`;
}

async function findSystem(db: Db): Promise<string> {
  try {
    const { rows } = await sql<{ system: string }>`select system_identifier::text as system from pg_control_system()`.execute(db);
    return rows[0]?.system ?? '';
  } catch (error) {
    // SQLSTATE of a function that the role may not call, or that the server does not have.
    if (error instanceof DatabaseFailure && ['42501', '42883'].includes(error.code ?? '')) return '';
    throw error;
  }
}
