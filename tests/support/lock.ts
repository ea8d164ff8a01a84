// A lock in a server's database, held by the test, so that work of the server waits at a known point.

import pg from 'pg';

export class Lock implements AsyncDisposable {
  readonly #holder: pg.Client;
  readonly #observer: pg.Client;
  #held = true;

  private constructor(url: string) {
    this.#holder = new pg.Client(url);
    this.#observer = new pg.Client(url);
  }

  /** Acquires the locks of the statement, and holds them until `release`. */
  static async take(url: string, statement: string, values: unknown[] = []): Promise<Lock> {
    const lock = new Lock(url);
    await Promise.all([lock.#holder.connect(), lock.#observer.connect()]);
    await lock.#holder.query('begin');
    await lock.#holder.query(statement, values);
    return lock;
  }

  /** Number of backends of this database that wait for a lock. */
  async waiting(): Promise<number> {
    const { rows } = await this.#observer.query(
      `select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
    );
    return rows[0].count;
  }

  /** Runs another statement in the transaction that holds the locks. */
  async ask(statement: string, values: unknown[] = []): Promise<void> {
    await this.#holder.query(statement, values);
  }

  async release(): Promise<void> {
    if (!this.#held) return;
    this.#held = false;
    await this.#holder.query('rollback');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#holder.end(), this.#observer.end()]);
  }
}
