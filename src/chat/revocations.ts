// The sessions that were signed out, in memory on every node. The database has them; they are read when the changes name a subject.

import type { Bus } from '../bus/bus.ts';
import type { ChangeStream } from '../bus/change-stream.ts';
import { oneAtATime } from '../bus/one-at-a-time.ts';
import { type Clock, every, realClock } from '../clock.ts';
import { signedOut } from '../errors.ts';
import type { Log } from '../log.ts';
import { logOccasionally } from '../log-occasionally.ts';
import {
  everyRevocation,
  type OtherSessions,
  type Revocation,
  readRevocations,
  removeExpiredRevocations,
  revokeOtherSessions,
  revokeSession,
  type Session,
} from '../storage/revocations.ts';
import type { Db } from '../storage/tables.ts';

const cleanMs = 3_600_000;

export class Revocations implements Disposable {
  readonly #db: Db;
  readonly #bus: Bus;
  readonly #log: Log;
  readonly #clock: Clock;
  /** By subject, then by session id. */
  readonly #known = new Map<string, Map<string, Revocation>>();
  readonly #listeners = new Set<() => void>();
  readonly #cleanup = new DisposableStack();
  #place = everyRevocation;
  /** Whether there may be revocations that were not read. */
  #isLagging = false;

  private constructor(db: Db, bus: Bus, log: Log, clock: Clock) {
    this.#db = db;
    this.#bus = bus;
    this.#log = log;
    this.#clock = clock;
  }

  /** Resolves when every revocation that was committed before is known. */
  static async open(db: Db, changes: ChangeStream, bus: Bus, log: Log, clock: Clock = realClock): Promise<Revocations> {
    const revocations = new Revocations(db, bus, log, clock);
    // Before the first read, so that nothing is committed between the two unnoticed.
    revocations.#cleanup.use(
      changes.follow(({ subjects, complete }) => {
        // The stream is read again and again, so a read that failed is repeated.
        if (subjects.length > 0 || !complete || revocations.#isLagging) void revocations.#check();
      }),
    );
    await revocations.read();
    revocations.#cleanup.use(every(clock, cleanMs, () => void revocations.#clean()));
    return revocations;
  }

  isRevoked({ subject, id, issuedAt }: Session): boolean {
    const ofSubject = this.#known.get(subject);
    if (!ofSubject) return false;
    const everywhere = ofSubject.get('');
    return (
      ofSubject.has(id) || (everywhere !== undefined && issuedAt <= (everywhere.issuedThrough ?? 0) && id !== everywhere.keptSessionId)
    );
  }

  /** Calls `listener` after new revocations have become known. */
  onRevoked(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Ends one session, on this node before it resolves, and on the others soon after. */
  async revoke(session: Session, expiresAt: Date): Promise<void> {
    await this.#db.transaction().execute((trx) => revokeSession(trx, session, expiresAt));
    await this.#announce();
  }

  /** Ends all sessions of the subject but one, in the same way. Throws UNAUTHENTICATED if the session that asks has ended itself. */
  async revokeOthers(others: OtherSessions): Promise<void> {
    const isOpen = await this.#db.transaction().execute((trx) => revokeOtherSessions(trx, others));
    await this.#announce();
    if (!isOpen) throw signedOut();
  }

  /** Resolves when everything that was committed before this call is known. One read runs at a time. */
  readonly read = oneAtATime(() => this.#readOnce());

  [Symbol.dispose](): void {
    this.#cleanup.dispose();
  }

  async #announce(): Promise<void> {
    this.#bus.wake('revocations');
    await this.read();
  }

  async #readOnce(): Promise<void> {
    const { revocations, place } = await readRevocations(this.#db, this.#place);
    this.#place = place;
    let isNew = false;
    for (const revocation of revocations) isNew = this.#apply(revocation) || isNew;
    if (isNew) for (const listener of this.#listeners) listener();
  }

  #apply(revocation: Revocation): boolean {
    const { subject, sessionId, issuedThrough, keptSessionId } = revocation;
    const ofSubject = this.#known.get(subject) ?? new Map<string, Revocation>();
    const known = ofSubject.get(sessionId);
    this.#known.set(subject, ofSubject.set(sessionId, revocation));
    return known?.issuedThrough !== issuedThrough || known.keptSessionId !== keptSessionId;
  }

  async #check(): Promise<void> {
    this.#isLagging = true;
    try {
      await this.read();
      this.#isLagging = false;
    } catch (error) {
      logOccasionally(this.#log, 'warn', error, 'could not read which sessions were signed out; the next check retries', this.#clock.now());
    }
  }

  async #clean(): Promise<void> {
    const before = Date.now() - cleanMs;
    for (const [subject, ofSubject] of this.#known) {
      for (const [id, { expiresAt }] of ofSubject) if (expiresAt && expiresAt.getTime() < before) ofSubject.delete(id);
      if (ofSubject.size === 0) this.#known.delete(subject);
    }
    try {
      await removeExpiredRevocations(this.#db);
    } catch (error) {
      this.#log.warn({ error }, 'expired revocations could not be removed; removing them is retried in an hour');
    }
  }
}
