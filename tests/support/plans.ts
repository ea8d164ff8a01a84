// The plans of queries on PostgreSQL, by EXPLAIN ANALYZE.

import assert from 'node:assert/strict';
import { CamelCasePlugin, type CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { ServerClient } from '../../src/storage/server-client.ts';
import type { Database, Db } from '../../src/storage/tables.ts';
import type { TestStorage } from './storage.ts';

export interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: Plan[];
}

export const flat = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(flat)];

/** Rows that a node of a plan has read. */
export const rowsRead = (node: Plan): number => (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];

/** Fails for a scan of a whole table. The starts of the database fit into one page, for which no index is faster. */
export function assertIndexed(node: Plan, detail?: string): void {
  if (node['Relation Name'] !== 'epochs') assert.notEqual(node['Node Type'], 'Seq Scan', detail);
}

export class Plans implements AsyncDisposable {
  /** The database, through a handle that records its queries. */
  readonly db: Db;
  /** A connection without the time limit of the pool. */
  readonly client: pg.Client;
  #queries: CompiledQuery[] = [];

  private constructor(client: pg.Client, databaseUrl: string) {
    this.client = client;
    const getTypeParser = (oid: number, format?: 'text' | 'binary') =>
      oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format as 'text');
    const types = { getTypeParser } as pg.CustomTypesConfig;
    const pool = new pg.Pool({ connectionString: databaseUrl, types, Client: ServerClient });
    // The end of the pool does not wait for its sockets: the drop of the database may end one of them first.
    pool.on('error', () => {});
    this.db = new Kysely<Database>({
      dialect: new PostgresDialect({ pool }),
      plugins: [new CamelCasePlugin()],
      log: ({ query }) => void this.#queries.push(query),
    });
  }

  static async open({ config }: TestStorage): Promise<Plans> {
    assert.ok('databaseUrl' in config);
    const client = new pg.Client(config.databaseUrl);
    await client.connect();
    return new Plans(client, config.databaseUrl);
  }

  /** Runs `list`, and explains each of its queries. */
  async explain(list: () => Promise<unknown>): Promise<{ text: string; plan: Plan }[]> {
    this.#queries = [];
    await list();
    assert.ok(this.#queries.length > 0);
    const plans: { text: string; plan: Plan }[] = [];
    for (const { sql: text, parameters } of this.#queries) {
      const { rows } = await this.client.query(`explain (analyze, format json) ${text}`, [...parameters]);
      plans.push({ text, plan: rows[0]['QUERY PLAN'][0].Plan });
    }
    return plans;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db.destroy();
    await this.client.end();
  }
}
