// Secrets that all nodes share and that survive restarts.

import type { Db } from './tables.ts';

/** The secret with this name. The first caller creates it. */
export async function getSecret(db: Db, name: string, create: () => string): Promise<string> {
  const find = () => db.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirst();
  const found = await find();
  if (found) return found.value;
  // In a transaction, which makes the secret durable before it signs a token.
  await db.transaction().execute((trx) =>
    trx
      .insertInto('secrets')
      .values({ name, value: create() })
      .onConflict((oc) => oc.column('name').doNothing())
      .execute(),
  );
  return ((await find()) as { value: string }).value;
}
