// A connection of the pool, as Kysely uses it. Kysely's own cannot cancel a statement behind a pooler.

import type { CompiledQuery, DatabaseConnection, PostgresPoolClient, QueryResult } from 'kysely';
import type { ServerClient } from './server-client.ts';

export type PooledClient = ServerClient & Pick<PostgresPoolClient, 'query' | 'release'>;

export class ServerConnection implements DatabaseConnection {
  readonly #client: PooledClient;
  #isDiscarded = false;

  constructor(client: PooledClient) {
    this.#client = client;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { command, rowCount, rows } = await this.#client.query<Row>(sql, parameters);
    // Kysely recognises by the command that a transaction was rolled back instead of committed.
    if (command === 'ROLLBACK' || command === 'COMMIT') return { rows: [{ command } as Row] };
    const isChange = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE';
    // Several statements in one query have no rows.
    return { rows: rows ?? [], ...(isChange ? { numAffectedRows: BigInt(rowCount) } : {}) };
  }

  /** Cancels the statement that runs. Resolves when the server has been asked. */
  cancel(): Promise<void> {
    return this.#client.cancelStatement();
  }

  /** Makes `release` close the connection. */
  discard(): void {
    this.#isDiscarded = true;
  }

  release(): void {
    this.#client.release(this.#isDiscarded);
  }

  streamQuery(): never {
    throw new Error('Queries are not streamed.');
  }
}
