// The epochs of a database: a restart that lost nothing keeps the moments of before, and everything else ends them.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CompiledQuery, sql } from 'kysely';
import { readChanges } from '../../src/storage/changes.ts';
import type { Moment } from '../../src/storage/cursor.ts';
import { beginEpochText, isKept, readEpochs } from '../../src/storage/epochs.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { storages } from '../support/server.ts';
import { openTestStorage } from '../support/storage.ts';

const begin = (db: Db, isPooled = false) => db.executeQuery(CompiledQuery.raw(beginEpochText('public', isPooled)));
/** As if the database had been started again. */
const restart = (db: Db) => sql`update epochs set started_at = started_at - interval '1 day'`.execute(db);

for (const name of storages) {
  it(`begin with a start of the database, and with a restored dump, on ${name}`, async () => {
    await using opened = await openTestStorage(name);
    const { db } = opened;
    const keeps = async (moment: Moment) => isKept(await readEpochs(db), moment);
    const { moment } = await readChanges(db, undefined);
    const { length } = await readEpochs(db);
    for (const _ of [1, 2]) await begin(db);
    assert.equal((await readEpochs(db)).length, length);
    assert.equal(await keeps(moment), true);
    assert.equal(await keeps({ ...moment, epoch: 'unknown' }), undefined);

    await restart(db);
    await begin(db);
    const epochs = await readEpochs(db);
    assert.equal(epochs.length, length + 1);
    const first = BigInt(epochs.at(-1)?.firstXid ?? 0);
    assert.ok(first > 0n);
    const upTo = (end: bigint): Moment => ({ ...moment, snapshot: `${end}:${end}:` });
    assert.equal(await keeps(upTo(first)), true, 'nothing of it was lost');
    assert.equal(await keeps(upTo(first + 1n)), false, 'it shows a transaction whose id was given out again');

    const later = (await readChanges(db, undefined)).moment;
    assert.notEqual(later.epoch, moment.epoch);
    await sql`update epochs set place = 'another'`.execute(db);
    await begin(db);
    for (const each of [moment, later]) assert.equal(await keeps(each), false, 'ids of another place mean nothing');
  });

  it(`keep nothing behind a pooler, where writes may come before them, on ${name}`, async () => {
    await using opened = await openTestStorage(name);
    const { db } = opened;
    const { moment } = await readChanges(db, undefined);
    await restart(db);
    await begin(db, true);
    await createGuest(db, 'Ada');
    assert.equal(isKept(await readEpochs(db), moment), false);
  });
}
