// The names of guests.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Kysely, sql } from 'kysely';
import { up } from '../../src/storage/migrations/0003-skeletons.ts';
import { skeletonOf } from '../../src/storage/skeleton.ts';
import { createGuest, upsertUser } from '../../src/storage/users.ts';
import { storages } from '../support/server.ts';
import { openTestStorage, range } from '../support/storage.ts';

for (const storage of storages) {
  describe(`a guest on ${storage}`, () => {
    let opened: Awaited<ReturnType<typeof openTestStorage>>;
    before(async () => {
      opened = await openTestStorage(storage);
    });
    after(() => opened[Symbol.asyncDispose]());

    it('keeps a name that looks like no other', async () => {
      for (const name of ['Ada Lovelace', 'Ada Byron', 'Amélie', 'Amelie', '김지우', '👩‍👩‍👧', '.']) {
        assert.equal((await createGuest(opened.db, name)).name, name);
      }
    });

    for (const [what, first, second] of [
      ['the same', 'Bob', 'Bob'],
      ['the same in another case', 'Grace', 'GRACE'],
      ['Cyrillic for Latin', 'Oscar', '\u041escar'],
      ['a digit for a letter', 'Olga', '0lga'],
      ['I for l', 'Allie', 'AIIie'],
      ['rn for m', 'Tim', 'Tirn'],
      ['an invisible character', 'Eve', 'Eve\u200d'],
    ] as const) {
      it(`gets a suffix of their id if the name looks like that of another guest: ${what}`, async () => {
        assert.equal((await createGuest(opened.db, first)).name, first);
        const { id, name, nameFolded } = await createGuest(opened.db, second);
        assert.equal(name, `${second} #${id.slice(-4)}`);
        assert.equal(nameFolded, name.toUpperCase());
      });
    }

    it('gets a suffix if they sign in with that of another guest', async () => {
      await createGuest(opened.db, 'Kim');
      const { name } = await createGuest(opened.db, 'Kim');
      const copy = await createGuest(opened.db, name);
      assert.equal(copy.name, `${name} #${copy.id.slice(-4)}`);
    });

    it('gets a name of at most 80 characters', async () => {
      const long = '🦊'.repeat(80);
      assert.equal((await createGuest(opened.db, long)).name, long);
      const { id, name } = await createGuest(opened.db, long);
      assert.equal(name, `${'🦊'.repeat(74)} #${id.slice(-4)}`);
    });

    it('gets the name alone if many sign in with it at the same time', async () => {
      const guests = await Promise.all(range(1, 20).map(() => createGuest(opened.db, 'Zoe')));
      assert.equal(guests.filter(({ name }) => name === 'Zoe').length, 1);
      assert.equal(new Set(guests.map(({ name }) => skeletonOf(name))).size, 20);
    });

    it('gets a name that a deleted guest had', async () => {
      const { id } = await createGuest(opened.db, 'Gone');
      await opened.db.deleteFrom('users').where('id', '=', id).execute();
      assert.equal((await createGuest(opened.db, 'Gone')).name, 'Gone');
    });

    it('does not take a name from users of the host application', async () => {
      for (const subject of ['one', 'two']) assert.equal((await upsertUser(opened.db, subject, 'Ada of the host')).name, 'Ada of the host');
      assert.equal((await createGuest(opened.db, 'Ada of the host')).name, 'Ada of the host');
    });

    it('of an earlier version keeps their name, and the first of several keeps it for themselves', async () => {
      const { db } = opened;
      await db.deleteFrom('users').execute();
      await sql`drop index users_by_skeleton`.execute(db);
      await sql`alter table users drop column skeleton`.execute(db);
      const ids = range(1, 5001).map((i) => `user_${String(i).padStart(26, '0')}`);
      await sql`
        insert into users (id, name, name_folded)
        select id, case when id <= ${ids[1]} or id = ${ids[5000]} then 'Ada' else id end, '' from unnest(${ids}::text[]) as given (id)`.execute(
        db,
      );
      await up(db as unknown as Kysely<unknown>);
      const skeletons = await sql<{
        id: string;
        name: string;
        skeleton: string | null;
      }>`select id, name, skeleton from users order by id`.execute(db);
      const ofAda = skeletons.rows.filter(({ name }) => name === 'Ada').map(({ skeleton }) => skeleton);
      assert.deepEqual(ofAda, ['ADA', null, null]);
      assert.equal(skeletons.rows.filter(({ skeleton }) => skeleton === null).length, 2);
      assert.match((await createGuest(db, 'Ada')).name, /^Ada #/);
    });
  });
}
