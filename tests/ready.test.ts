// The answers of a node to load balancers and monitoring.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { createDatabase, startPostgres } from './support/postgres.ts';
import { until } from './support/process.ts';
import { Guest, startServer } from './support/server.ts';

async function ask(url: string, path: string) {
  const response = await fetch(new URL(path, url));
  const body = (await response.json()) as { database?: string };
  return { status: response.status, database: body.database };
}

describe('a node', { timeout: 60_000 }, () => {
  it('is ready while PostgreSQL is away, and shows the state of the database', async () => {
    await using postgres = await startPostgres();
    await using server = await startServer({ env: { DATABASE_URL: postgres.url, IDENTITY: 'guest' } });
    const both = async () => [await ask(server.url, '/ready'), await ask(server.url, '/ready/database')];
    const ok = { status: 200, database: 'ok' };
    assert.deepEqual(await both(), [ok, ok]);

    await postgres.stop();
    await until('the node knows', async () => (await ask(server.url, '/ready')).database === 'unavailable', 5000);
    assert.deepEqual(await both(), [
      { status: 200, database: 'unavailable' },
      { status: 503, database: 'unavailable' },
    ]);

    await postgres.start();
    await until('the node knows', async () => (await ask(server.url, '/ready')).database === 'ok', 5000);
    assert.deepEqual(await both(), [ok, ok]);
    await Guest.signIn(server.url);
  });

  it('has no counter that docs/delivery.md does not explain', async () => {
    const documented = readFileSync(new URL('../docs/delivery.md', import.meta.url), 'utf8');
    await using database = await createDatabase();
    const env = { DATABASE_URL: database.url, IDENTITY: 'guest', REDIS_URL: process.env['REDIS_URL'] as string };
    await using server = await startServer({ env });
    const response = await fetch(new URL('/ready', server.url));
    const { counts } = (await response.json()) as { counts: Record<string, Record<string, number>> };
    const names = Object.entries(counts).flatMap(([part, numbers]) => Object.keys(numbers).map((name) => [part, name] as const));
    assert.ok(names.length > 10);
    const rows = documented.split('\n').filter((line) => line.startsWith('| `counts.'));
    const isExplained = ([part, name]: readonly [string, string]) =>
      rows.some((row) => row.startsWith(`| \`counts.${part}.`) && new RegExp(`[.\`]${name}\``).test(row));
    assert.deepEqual(
      names.filter((each) => !isExplained(each)),
      [],
    );
  });

  it('answers from memory: 1,000 requests cause few statements', async () => {
    await using postgres = await startPostgres({ log_statement: 'all' });
    await using server = await startServer({ env: { DATABASE_URL: postgres.url, IDENTITY: 'guest' } });
    const statements = () => postgres.output.match(/LOG: {2}(statement|execute)/g)?.length ?? 0;
    await until('the first probe', () => statements() > 0);
    const before = statements();
    const began = performance.now();
    for (let i = 0; i < 10; i += 1) await Promise.all(Array.from({ length: 100 }, () => ask(server.url, '/ready')));
    const seconds = (performance.now() - began) / 1000;
    // One probe per second, and the check of a new connection.
    assert.ok(statements() - before <= 2 * Math.ceil(seconds) + 4, `${statements() - before} statements in ${seconds} s`);
  });
});
