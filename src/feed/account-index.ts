// The accounts of this node, the rooms that they listen to, and what changed and was not told yet. Only sets state: nothing here
// waits, so that between a read and what is made of it no change is lost.

import type { AccountRoom } from '../storage/accounts.ts';
import { encodeMoment, type Moment } from '../storage/cursor.ts';
import type { Account } from './account.ts';
import { earlier, Interest, type Mark, removeFrom } from './interest.ts';

/** A membership that changed and has to be read. */
export interface Check {
  readonly userId: string;
  readonly roomId: string;
  /** A moment before the change. */
  readonly after: Mark;
}

/** The parts of the changes of the database that concern accounts. */
export interface AccountChanges {
  readonly rooms: Iterable<string>;
  readonly memberships: Iterable<{ readonly userId: string; readonly roomId: string }>;
  readonly users: Iterable<string>;
}

export class AccountIndex {
  readonly #interests = new Map<string, Interest>();
  readonly #accounts = new Map<string, Set<Account>>();
  /** Rooms with a change that was not told. */
  readonly changed = new Set<Interest>();
  /** By user and room. */
  readonly checks = new Map<string, Check>();
  readonly #withMutes = new Set<Account>();
  #marks = 0;
  /** The newest mark. */
  #newest: Mark = { order: 0, cursor: '' };
  size = 0;

  /** A mark at this moment, after all marks before it. */
  markAt(moment: Moment): Mark {
    this.#marks += 1;
    this.#newest = { order: this.#marks, cursor: encodeMoment(moment) };
    return this.#newest;
  }

  /** The latest mark that is before each change that was not told. */
  oldestMark(): Mark {
    let oldest = this.#newest;
    for (const { changedAfter } of this.changed) oldest = earlier(oldest, changedAfter);
    for (const { after } of this.checks.values()) oldest = earlier(oldest, after);
    return oldest;
  }

  *all(): Iterable<Account> {
    for (const accounts of this.#accounts.values()) yield* accounts;
  }

  of(userId: string): Iterable<Account> {
    return this.#accounts.get(userId) ?? [];
  }

  /** Notes changes that happened after the mark. Touches the accounts whose own row changed. */
  note({ rooms, memberships, users }: AccountChanges, after: Mark): void {
    for (const roomId of rooms) {
      const interest = this.#interests.get(roomId);
      if (interest) this.noteRoom(interest, after);
    }
    for (const { userId, roomId } of memberships) if (this.#accounts.has(userId)) this.noteMembership(userId, roomId, after);
    for (const userId of users) for (const account of this.of(userId)) account.putOwn({ type: 'ViewerChanged', roomId: '' }, after);
  }

  noteRoom(interest: Interest, after: Mark): void {
    interest.changedAfter = earlier(after, interest.changedAfter);
    this.changed.add(interest);
  }

  noteMembership(userId: string, roomId: string, after: Mark): void {
    const key = `${userId} ${roomId}`;
    this.checks.set(key, { userId, roomId, after: earlier(after, this.checks.get(key)?.after) });
    for (const account of this.of(userId)) account.checking.add(roomId);
  }

  /** Ends a check, unless the membership changed again meanwhile. */
  endCheck(check: Check): boolean {
    const key = `${check.userId} ${check.roomId}`;
    if (this.checks.get(key) !== check) return false;
    this.checks.delete(key);
    for (const account of this.of(check.userId)) account.checking.delete(check.roomId);
    return true;
  }

  add(account: Account): void {
    const accounts = this.#accounts.get(account.userId) ?? new Set();
    this.#accounts.set(account.userId, accounts.add(account));
    this.size += 1;
  }

  remove(account: Account): void {
    const accounts = this.#accounts.get(account.userId);
    if (!accounts?.delete(account)) return;
    this.size -= 1;
    if (accounts.size === 0) this.#accounts.delete(account.userId);
    this.#withMutes.delete(account);
    for (const interest of account.rooms) {
      interest.forget();
      this.#dropIfEmpty(interest);
    }
    account.rooms = [];
  }

  find(account: Account, roomId: string): Interest | undefined {
    const interest = this.#interests.get(roomId);
    if (!interest) return undefined;
    // The shorter list is searched.
    const isMember =
      account.rooms.length < interest.listeners.length
        ? account.rooms.includes(interest)
        : interest.listeners.includes(account) || interest.muted.includes(account);
    return isMember ? interest : undefined;
  }

  /** Adds a room to an account that does not have it. */
  join(account: Account, { roomId, mutedUntilMs, revision }: Pick<AccountRoom, 'roomId' | 'mutedUntilMs' | 'revision'>): Interest {
    const interest = this.#interests.get(roomId) ?? new Interest(roomId);
    this.#interests.set(interest.roomId, interest);
    interest.revision = Math.min(interest.revision, revision);
    account.rooms.push(interest);
    const isMuted = this.#noteMute(account, interest, mutedUntilMs);
    (isMuted && !account.includeMuted ? interest.muted : interest.listeners).push(account);
    return interest;
  }

  /** Removes a room from an account that has it. */
  leave(account: Account, interest: Interest): void {
    removeFrom(account.rooms, interest);
    interest.remove(account);
    account.mutedUntilMs.delete(interest);
    account.changed.delete(interest);
    this.#dropIfEmpty(interest);
  }

  /** Applies a mute of a room that the account has. True if the room is told of again from now on. */
  setMute(account: Account, interest: Interest, untilMs: number): boolean {
    const wasMuted = account.mutedUntilMs.delete(interest);
    const isMuted = this.#noteMute(account, interest, untilMs);
    // An account that includes muted rooms is only told when the mute ends.
    if (wasMuted === isMuted || account.includeMuted) return false;
    removeFrom(wasMuted ? interest.muted : interest.listeners, account);
    (isMuted ? interest.muted : interest.listeners).push(account);
    if (isMuted) account.changed.delete(interest);
    return wasMuted;
  }

  /** Ends the mutes whose time has come, and puts the rooms as new. Returns the accounts. */
  endMutes(): Account[] {
    const ended: Account[] = [];
    for (const account of this.#withMutes) {
      for (const [interest, untilMs] of account.mutedUntilMs) {
        if (untilMs > Date.now()) continue;
        this.setMute(account, interest, 0);
        account.putOwn({ type: 'ViewerRoomAdded', roomId: interest.roomId }, this.oldestMark());
        ended.push(account);
      }
      if (account.mutedUntilMs.size === 0) this.#withMutes.delete(account);
    }
    return ended;
  }

  /** Removes all rooms of an account, before they are read again. */
  clear(account: Account): void {
    const { rooms } = account;
    account.clear();
    for (const interest of rooms) {
      interest.remove(account);
      this.#dropIfEmpty(interest);
    }
  }

  /** Removes all rooms of all accounts, before they are read again. */
  clearAll(): void {
    this.#interests.clear();
    this.changed.clear();
    this.checks.clear();
    this.#withMutes.clear();
    for (const account of this.all()) account.clear();
  }

  /** Whether the mute has not ended yet. */
  #noteMute(account: Account, interest: Interest, untilMs: number): boolean {
    if (untilMs <= Date.now()) return false;
    account.mutedUntilMs.set(interest, untilMs);
    this.#withMutes.add(account);
    return true;
  }

  #dropIfEmpty(interest: Interest): void {
    if (!interest.isEmpty) return;
    this.#interests.delete(interest.roomId);
    this.changed.delete(interest);
  }
}
