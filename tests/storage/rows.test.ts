// Rows by their ids: one query for all who ask at once, and never an answer from before it was asked for.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Kysely, type KyselyPlugin } from 'kysely';
import { Rows } from '../../src/storage/rows.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { openTestStorage, range, type TestStorage } from '../support/storage.ts';

describe('rows by their ids', () => {
  let opened: TestStorage;
  let db: Db;
  let queries = 0;
  const counting: KyselyPlugin = {
    transformQuery({ node }) {
      queries += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  before(async () => {
    opened = await openTestStorage('PGlite');
    db = opened.db;
  });
  after(() => opened[Symbol.asyncDispose]());

  it('are one query for those who ask while another is under way, each answered with theirs', async () => {
    assert.ok(db instanceof Kysely);
    const users = await Promise.all(range(1, 20).map((i) => createGuest(db, `Guest ${i}`)));
    const rows = new Rows(db.withPlugin(counting));
    queries = 0;
    const found = await Promise.all(users.map(({ id }, i) => rows.users([id, `user_${i}`, (users[0] as (typeof users)[0]).id])));
    for (const [i, ofOne] of found.entries()) assert.deepEqual(ofOne, [users[i], users[0]]);
    assert.equal(queries, 2);
  });

  it('are as they are when they are asked for, also while an older answer is under way', async () => {
    const { id } = await createGuest(db, 'Before');
    const rows = new Rows(db);
    const older = rows.users([id]);
    await db.updateTable('users').set({ name: 'After' }).where('id', '=', id).execute();
    const newer = rows.users([id]);
    await older;
    assert.deepEqual(
      (await newer).map(({ name }) => name),
      ['After'],
    );
  });
});
