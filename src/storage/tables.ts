// The tables, as Kysely sees them: camelCase here, snake_case in the database. Their reasons stand in the migrations.

import { type ColumnType, type Generated, type Kysely, type Selectable, sql, type Transaction } from 'kysely';

export type Db = Kysely<Database>;
/** A handle whose writes appear together. A function that needs one says so in its type. */
export type Trx = Transaction<Database>;

export interface Database {
  users: UserTable;
  rooms: RoomTable;
  memberships: MembershipTable;
  messages: MessageTable;
  roomLog: RoomLogTable;
  secrets: { name: string; value: string };
}

/** Given by the database, as it writes: one clock for all nodes, and never a client's. */
type Instant = ColumnType<Date, Date | undefined, Date>;
/** The same for all that a statement writes. */
export const now = sql<Date>`statement_timestamp()`;

export interface UserTable {
  id: string;
  /** `sub` of the host application's tokens. Null for a guest. */
  subject: string | null;
  name: string;
  nameFolded: string;
  avatarUrl: string | null;
  createdAt: Instant;
}

export type RoomKind = 'OPEN' | 'PRIVATE' | 'DIRECT';

export interface RoomTable {
  id: string;
  kind: RoomKind;
  name: string;
  nameFolded: string;
  description: string | null;
  subject: string | null;
  /** One DIRECT room per pair and subject: the three in one string. */
  directKey: string | null;
  createdBy: string | null;
  createdAt: Instant;
  lastActiveAt: Instant;
  deletedAt: Date | null;
  memberCount: Generated<number>;
  /** The number of the newest message. */
  lastNumber: Generated<number>;
  /** Position of the newest entry; before the first one, that of the floor. */
  headSeq: Generated<number>;
  headTag: number;
  /** Position just in front of the oldest entry that is kept. */
  floorSeq: Generated<number>;
  floorTag: number;
  /** The number of the newest message that retention removed. */
  floorNumber: Generated<number>;
  /** When the oldest entry that retention has yet to look at was written. */
  oldestAt: Date | null;
}

export type RoomRole = 'OWNER' | 'MEMBER';

export interface MembershipTable {
  id: string;
  roomId: string;
  userId: string;
  role: RoomRole;
  joinedAt: Instant;
}

export type MessageKind = 'TALK' | 'ENTER' | 'LEAVE';
export type DeletionReason = 'BY_SENDER' | 'BY_OWNER';

export interface MessageTable {
  id: string;
  roomId: string;
  /** Position of the entry that added it. */
  seq: number;
  tag: number;
  /** `seq` of the last entry that changed it. */
  changedSeq: number;
  number: number;
  kind: MessageKind;
  senderId: string | null;
  body: string | null;
  createdAt: Instant;
  editedAt: Date | null;
  deletedAt: Date | null;
  deletionReason: DeletionReason | null;
  clientMessageId: string | null;
  /** SHA-256 of the body as it was first sent, in hex: what a retry is compared with. Null without a clientMessageId. */
  sentHash: string | null;
}

export type EntryType =
  | 'MessageAdded'
  | 'MessageEdited'
  | 'MessageDeleted'
  | 'MemberJoined'
  | 'MemberLeft'
  | 'HistoryTrimmed'
  | 'RoomUpdated'
  | 'RoomDeleted';

export interface RoomLogTable {
  roomId: string;
  seq: number;
  tag: number;
  type: EntryType;
  at: Instant;
  messageId: string | null;
  userId: string | null;
  throughNumber: number | null;
}

export type UserRow = Selectable<UserTable>;
export type RoomRow = Selectable<RoomTable>;
export type MembershipRow = Selectable<MembershipTable>;
export type MessageRow = Selectable<MessageTable>;

/**
 * Names are compared and sorted by this form, alike on every database whatever its locale. Upper case is last, because it
 * knows no forms that depend on the place in a word: ß is SS, and the three sigmas are one.
 */
export const fold = (name: string) => name.toLowerCase().toUpperCase().normalize('NFC');
