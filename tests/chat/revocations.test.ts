// The revocations that a node knows: each that is committed, however late, and in whatever state the bus is.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sql } from 'kysely';
import { ChangeStream } from '../../src/bus/change-stream.ts';
import { Revocations } from '../../src/chat/revocations.ts';
import { everyRevocation, readRevocations, type Session } from '../../src/storage/revocations.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { silentLog, storages } from '../support/server.ts';
import { openTestStorage } from '../support/storage.ts';

const session = (id: string, issuedAt = 100): Session => ({ subject: 'ada', id, issuedAt });
const later = new Date(Date.now() + 3_600_000);

for (const name of storages) {
  it(`are found by checks within 5 s, and within 1 s while the bus is not healthy, on ${name}`, async () => {
    await using opened = await openTestStorage(name);
    const { db } = opened;
    await using bus = new FickleBus();
    const clock = new ManualClock();
    using changes = await ChangeStream.open(db, bus, silentLog, clock);
    using known = await Revocations.open(db, changes, bus, silentLog, clock);
    for (const [healthy, withinMs] of [
      [true, 5000],
      [false, 1000],
    ] as const) {
      bus.healthy = healthy;
      const id = `healthy: ${healthy}`;
      // Without a wake.
      await sql`insert into revocations (subject, session_id) values ('ada', ${id})`.execute(db);
      assert.equal(known.isRevoked(session(id)), false);
      await clock.advance(withinMs);
      await until('it is known', () => known.isRevoked(session(id)));
    }
  });

  it(`are removed from the database an hour after they expire, and not read again, on ${name}`, async () => {
    await using opened = await openTestStorage(name);
    const { db } = opened;
    await using bus = new FickleBus();
    const clock = new ManualClock();
    using changes = await ChangeStream.open(db, bus, silentLog, clock);
    using known = await Revocations.open(db, changes, bus, silentLog, clock);
    await known.revoke(session('kept'), later);
    await known.revoke(session('expired'), new Date(Date.now() - 3_700_000));
    await known.revokeOthers({ session: session('mine'), keptSessionId: 'mine', aheadSeconds: 0, expiresAt: null });
    assert.deepEqual([known.isRevoked(session('kept')), known.isRevoked(session('expired', 1e12))], [true, false]);
    await clock.advance(3_600_000);
    const ids = async () =>
      (await db.selectFrom('revocations').select('sessionId').orderBy('sessionId').execute()).map(({ sessionId }) => sessionId);
    await until('it is removed', async () => (await ids()).length === 2);
    assert.deepEqual(await ids(), ['', 'kept']);
  });
}

it('of all other sessions end those that were issued up to then, except the one that is kept last', async () => {
  await using opened = await openTestStorage('PostgreSQL');
  await using bus = new FickleBus();
  const clock = new ManualClock();
  using changes = await ChangeStream.open(opened.db, bus, silentLog, clock);
  using known = await Revocations.open(opened.db, changes, bus, silentLog, clock);
  const nowSeconds = Date.now() / 1000;
  const keep = (id: string, keptSessionId: string) =>
    known.revokeOthers({ session: session(id), keptSessionId, aheadSeconds: 0, expiresAt: null });
  await keep('one', 'two');
  const revoked = (...sessions: Session[]) => sessions.map((each) => known.isRevoked(each));
  assert.deepEqual(revoked(session('one'), session('two'), session('no iat', 0), session('new', nowSeconds + 10)), [
    true,
    false,
    true,
    false,
  ]);
  assert.equal(known.isRevoked({ ...session('one'), subject: 'bob' }), false);
  await assert.rejects(keep('one', 'three'), { code: 'UNAUTHENTICATED', reason: 'SIGNED_OUT' });
  assert.deepEqual(revoked(session('two'), session('three')), [false, true]);
  await keep('two', 'four');
  assert.deepEqual(revoked(session('two'), session('four')), [true, false]);
});

it('are all read if the place is ahead of the database, as after a restore', async () => {
  await using opened = await openTestStorage('PostgreSQL');
  const { db } = opened;
  await sql`insert into revocations (subject, session_id, written_by) values ('ada', 'old', '3')`.execute(db);
  const { place, revocations } = await readRevocations(db, everyRevocation);
  assert.equal(revocations.length, 1);
  assert.equal((await readRevocations(db, place)).revocations.length, 0);
  assert.equal((await readRevocations(db, String(BigInt(place) + 1_000_000n))).revocations.length, 1);
});
