// A client of the account stream that keeps the list of rooms, and the list as a fresh page shows it.

import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import type { Account } from '../../src/feed/account.ts';
import type { AccountEvent } from '../../src/feed/account-event.ts';
import type { Accounts } from '../../src/feed/accounts.ts';
import { readChanges } from '../../src/storage/changes.ts';
import { encodeMoment } from '../../src/storage/cursor.ts';
import type { Db, MembershipRow, RoomRow } from '../../src/storage/tables.ts';
import { until } from './process.ts';

export type List = Record<string, string>;

/** What the list shows of a room and of the membership in it. */
const shown = ({ name, headSeq, headTag, lastNumber, talkCount, memberCount, floorSeq }: RoomRow, membership: MembershipRow) => {
  const { role, readSeq, readNumber, notificationLevel } = membership;
  return JSON.stringify({
    name,
    headSeq,
    headTag,
    lastNumber,
    talkCount,
    memberCount,
    floorSeq,
    role,
    readSeq,
    readNumber,
    notificationLevel,
  });
};

interface Listed {
  row: RoomRow;
  membership: MembershipRow;
}

async function readList(db: Db, userId: string): Promise<Listed[]> {
  const memberships = await db.selectFrom('memberships').selectAll().where('userId', '=', userId).execute();
  if (memberships.length === 0) return [];
  const ids = memberships.map(({ roomId }) => roomId);
  const rows = await db.selectFrom('rooms').selectAll().where('id', 'in', ids).where('deletedAt', 'is', null).execute();
  return rows.map((row) => ({ row, membership: memberships.find(({ roomId }) => roomId === row.id) as MembershipRow }));
}

const toList = (rooms: Iterable<Listed>): List => {
  const sorted = [...rooms].sort((a, b) => (a.row.id < b.row.id ? -1 : 1));
  return Object.fromEntries(sorted.map(({ row, membership }) => [row.id, shown(row, membership)]));
};

/** The rooms of a user, as a fresh page shows them. */
export const freshList = async (db: Db, userId: string): Promise<List> => toList(await readList(db, userId));

/** A state of a room that a user was shown. */
export interface Shown {
  readonly userId: string;
  readonly roomId: string;
  readonly revision: number;
}

/** Checks that each state was shown only to somebody who was a member at that revision. */
export async function assertShownToMembers(db: Db, shown: readonly Shown[]): Promise<void> {
  const log = await db.selectFrom('roomLog').select(['roomId', 'seq', 'type', 'userId']).orderBy('seq').execute();
  for (const { userId, roomId, revision } of shown) {
    const own = log.filter((entry) => entry.roomId === roomId && entry.userId === userId && entry.seq <= revision);
    assert.notEqual(own.at(-1)?.type, 'MemberLeft', `${userId} was shown ${roomId} at ${revision}, after they had left it`);
  }
}

export interface ReaderOptions {
  readonly includeMuted?: boolean;
  readonly wantsTotals?: boolean;
  /** Whether its results are shared with other readers. */
  readonly isShared?: boolean;
  /** Called with events while they are executed. */
  readonly onExecute?: (events: readonly AccountEvent[]) => Promise<void>;
  /** Called with each event before it is applied. */
  readonly onEvent?: (event: AccountEvent) => void;
}

export class ListReader {
  readonly userId: string;
  readonly #db: Db;
  readonly #accounts: () => Accounts;
  readonly #options: ReaderOptions;
  readonly #rooms = new Map<string, Listed>();
  #named = new Set<string>();
  #account: Account | undefined;
  #running: Promise<void> = Promise.resolve();
  #isOpen = false;
  #mayTake = Number.POSITIVE_INFINITY;
  #wake = () => {};
  cursor: string | undefined;
  caughtUp = 0;
  /** How many of them said that the list is complete. */
  complete = 0;
  readonly events: AccountEvent[] = [];
  error: unknown;

  constructor(db: Db, userId: string, accounts: () => Accounts, options: ReaderOptions = {}) {
    this.#db = db;
    this.userId = userId;
    this.#accounts = accounts;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get list(): List {
    return toList(this.#rooms.values());
  }

  /** Continues after its cursor. Without one, it loads a page first. */
  async open(): Promise<void> {
    this.#isOpen = true;
    if (this.cursor === undefined) {
      const { moment } = await readChanges(this.#db, undefined);
      for (const each of await readList(this.#db, this.userId)) this.#rooms.set(each.row.id, each);
      this.cursor = encodeMoment(moment);
    }
    const { userId, cursor } = this;
    const account = await this.#accounts().open({
      userId,
      after: cursor,
      includeMuted: this.#options.includeMuted ?? true,
      wantsTotals: this.#options.wantsTotals ?? false,
    });
    this.#account = account;
    this.#named = new Set();
    const isWanted = () => this.#isOpen && this.#account === account;
    const reader = this;
    const execute = async (events: readonly AccountEvent[]) => {
      await turn();
      await this.#options.onExecute?.(events);
      return [...events];
    };
    const shared = (this.#options.isShared ?? true) ? { key: 'everything', execute } : undefined;
    this.#running = account
      .run<AccountEvent>(
        { shared, execute },
        {
          get open() {
            return isWanted();
          },
          get ready() {
            return isWanted() && reader.#mayTake > 0;
          },
          drained: () => new Promise((resolve) => (this.#wake = resolve)),
          write: (event) => {
            if (!isWanted() || this.#mayTake <= 0) throw new Error('A result was written although the sink was not ready.');
            if (event.cursor !== account.cursor) throw new Error('The cursor of the account is not that of its last event.');
            this.#mayTake -= 1;
            this.#receive(event);
          },
        },
      )
      .catch((error: unknown) => {
        this.error = error;
      });
  }

  /** Ends the stream, wherever it is. */
  async cut(): Promise<void> {
    this.#isOpen = false;
    this.#account?.stop();
    this.#wake();
    await this.#running;
  }

  /** How many events it takes from now on. */
  take(count: number): void {
    this.#mayTake = count;
    this.#wake();
  }

  /** Opens it, and resolves at `ViewerCaughtUp`. */
  async catchUp(): Promise<void> {
    const { caughtUp } = this;
    await this.open();
    await until('it has caught up', () => {
      if (this.error) throw this.error;
      return this.caughtUp > caughtUp;
    });
  }

  #receive(event: AccountEvent): void {
    this.#options.onEvent?.(event);
    this.events.push(event);
    this.cursor = event.cursor;
    switch (event.type) {
      case 'ViewerRoomAdded':
        this.#named.add(event.roomId);
        this.#rooms.set(event.roomId, { row: event.row, membership: event.membership });
        break;
      case 'ViewerRoomChanged': {
        const known = this.#rooms.get(event.roomId);
        if (!known) throw new Error('A room changed that is not in the list.');
        if (known.row.headSeq <= event.row.headSeq) known.row = event.row;
        break;
      }
      case 'ViewerRoomRemoved':
        this.#rooms.delete(event.roomId);
        break;
      case 'ViewerMembershipChanged': {
        const known = this.#rooms.get(event.roomId);
        if (!known) throw new Error('A membership changed of a room that is not in the list.');
        known.membership = event.membership;
        break;
      }
      case 'ViewerChanged':
        break;
      case 'ViewerCaughtUp':
        this.caughtUp += 1;
        if (event.complete) {
          this.complete += 1;
          for (const roomId of [...this.#rooms.keys()]) if (!this.#named.has(roomId)) this.#rooms.delete(roomId);
        }
        this.#named = new Set();
        break;
      default:
        event satisfies never;
    }
  }
}
