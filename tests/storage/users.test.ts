// The names of guests.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Kysely, sql } from 'kysely';
import { up } from '../../src/storage/migrations/0006-skeletons.ts';
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

    it('keeps a name that other guests have as well, in upper or lower case', async () => {
      for (const name of ['Bob', 'Bob', 'BOB', 'bob']) assert.equal((await createGuest(opened.db, name)).name, name);
    });

    for (const [what, first, second] of [
      ['Cyrillic for Latin', 'Oscar', '\u041escar'],
      ['a digit for a letter', 'Olga', '0lga'],
      ['I for l', 'Allie', 'AIIie'],
      ['rn for m', 'Tim', 'Tirn'],
      ['an invisible character', 'Eve', 'Eve\u200d'],
    ] as const) {
      it(`gets a suffix of their id if the name only looks like that of another guest: ${what}`, async () => {
        for (const _ of range(1, 3)) assert.equal((await createGuest(opened.db, first)).name, first);
        const { id, name, nameFolded } = await createGuest(opened.db, second);
        assert.equal(name, `${second} #${id.slice(-4)}`);
        assert.equal(nameFolded, name.toUpperCase());
        assert.equal((await createGuest(opened.db, first)).name, first);
        assert.match((await createGuest(opened.db, second)).name, / #/);
      });
    }

    it('gets a suffix if they only look like a guest who has one', async () => {
      await createGuest(opened.db, 'Kiki');
      const { name } = await createGuest(opened.db, 'K\u0456ki');
      const copy = await createGuest(opened.db, name.replace('\u0456', 'i'));
      assert.equal(copy.name, `${name.replace('\u0456', 'i')} #${copy.id.slice(-4)}`);
    });

    it('gets a name of at most 80 characters', async () => {
      await createGuest(opened.db, 'l'.repeat(80));
      const { id, name } = await createGuest(opened.db, 'I'.repeat(80));
      assert.equal(name, `${'I'.repeat(74)} #${id.slice(-4)}`);
    });

    it('gets a suffix if another spelling signs in at the same time', async () => {
      const guests = await Promise.all(range(1, 20).map((i) => createGuest(opened.db, i % 2 ? 'Zoe' : 'Z\u043ee')));
      const plain = new Set(guests.map(({ name }) => name).filter((name) => !name.includes('#')));
      assert.ok(plain.size <= 1);
      assert.equal(new Set(guests.map(({ id }) => id)).size, 20);
    });

    it('gets a name that only a deleted guest had', async () => {
      const { id } = await createGuest(opened.db, 'Gone');
      await opened.db.deleteFrom('users').where('id', '=', id).execute();
      assert.equal((await createGuest(opened.db, 'G\u043ene')).name, 'G\u043ene');
    });

    it('does not take a name from users of the host application', async () => {
      for (const subject of ['one', 'two'])
        assert.equal((await upsertUser(opened.db, subject, 'Ada of the host', 0)).name, 'Ada of the host');
      assert.equal((await createGuest(opened.db, '\u0410da of the host')).name, '\u0410da of the host');
    });

    it('of an earlier version keeps their name, and is compared with later ones', async () => {
      const { db } = opened;
      await db.deleteFrom('users').execute();
      await sql`drop index users_by_skeleton`.execute(db);
      await sql`alter table users drop column skeleton`.execute(db);
      const ids = range(1, 5001).map((i) => `user_${String(i).padStart(26, '0')}`);
      await sql`
        insert into users (id, name, name_folded)
        select id, case when id = ${ids[0]} then '\u0410da' when id = ${ids[5000]} then 'Eva' else id end, '' from unnest(${ids}::text[]) as given (id)`.execute(
        db,
      );
      await sql`update users set name_folded = upper(name)`.execute(db);
      await up(db as unknown as Kysely<unknown>);
      const { rows } = await sql<{ name: string }>`select name from users where skeleton in ('ADA', 'EVA') order by id`.execute(db);
      assert.deepEqual(
        rows.map(({ name }) => name),
        ['\u0410da', 'Eva'],
      );
      assert.match((await createGuest(db, 'Ada')).name, /^Ada #/);
      assert.equal((await createGuest(db, 'Eva')).name, 'Eva');
    });
  });
}
