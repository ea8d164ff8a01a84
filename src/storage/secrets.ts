// Keys that every node and every restart must agree on.

import type { Db } from './tables.ts';

/** The secret of that name; made by `create` by whoever asks first. */
export async function getSecret(db: Db, name: string, create: () => string): Promise<string> {
  const find = () => db.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirst();
  const found = await find();
  if (found) return found.value;
  await db
    .insertInto('secrets')
    .values({ name, value: create() })
    .onConflict((oc) => oc.column('name').doNothing())
    .execute();
  return ((await find()) as { value: string }).value;
}
