// The types of the tables: camelCase here, snake_case in the database. The migrations explain each index.

import { type ColumnType, type Generated, type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { StoredEvent } from './entry-types.ts';

export type Db = Kysely<Database>;
/** A handle inside a transaction. Functions that need a transaction have a parameter of this type. */
export type Trx = Transaction<Database>;

export interface Database {
  users: UserTable;
  rooms: RoomTable;
  /** The names of the OPEN rooms, for searches. A trigger keeps them. */
  roomNames: { roomId: string; nameFolded: string };
  memberships: MembershipTable;
  messages: MessageTable;
  roomLog: RoomLogTable;
  secrets: { name: string; value: string };
  revocations: RevocationTable;
  changes: ChangeTable;
  departures: DepartureTable;
  epochs: EpochTable;
  /** The 10 s in which each OPEN room was last active. A trigger keeps them. */
  roomActivity: { roomId: string; activeAt: Date };
}

/** The names of all tables. A type error follows if one is missing. */
export const tableNames = Object.keys({
  users: true,
  rooms: true,
  memberships: true,
  messages: true,
  roomLog: true,
  secrets: true,
  revocations: true,
  roomNames: true,
  changes: true,
  departures: true,
  epochs: true,
  roomActivity: true,
} satisfies Record<keyof Database, true>) as (keyof Database)[];

/** The name that a table has in the database. */
export const storedName = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * The name of a table, for statements that are written as text: `from ${table('rooms')}`. It becomes the name with the
 * schema. A bare name would depend on search_path. Columns are qualified with the bare name, as in `rooms.id`.
 */
export const table = (name: keyof Database) => sql.table(name);

/** A time that the database sets, so that all nodes share one clock. */
type Instant = ColumnType<Date, Date | undefined, Date>;
/** The time of a statement, the same for every row that it writes. */
export const now = sql<Date>`statement_timestamp()`;
/** The transaction that runs the statement. */
export const currentXid = sql<string>`pg_current_xact_id()`;

export interface UserTable {
  id: string;
  /** `sub` of the host application's token. Null for a guest. */
  subject: string | null;
  name: string;
  nameFolded: string;
  avatarUrl: string | null;
  createdAt: Instant;
  /** `iat` of the token that the name is from, in seconds. Null if the token did not say. */
  nameIssuedAt: Generated<number | null>;
  /** See skeleton.ts. Null for a user of the host application. Only createGuest uses it. */
  skeleton: Generated<string | null>;
  /** Whether others may see what the user has read. */
  sharesReceipts: Generated<boolean>;
}

export type RoomKind = 'OPEN' | 'PRIVATE' | 'DIRECT';

export interface RoomTable {
  id: string;
  kind: RoomKind;
  name: string;
  nameFolded: string;
  description: string | null;
  subject: string | null;
  /** Both members and the subject of a DIRECT room, in one string: unique among rooms that are not deleted. */
  directKey: string | null;
  createdBy: string | null;
  createdAt: Instant;
  lastActiveAt: Instant;
  deletedAt: Date | null;
  memberCount: Generated<number>;
  /** `number` of the newest message. */
  lastNumber: Generated<number>;
  /** Position of the newest entry, or of the floor while there is no entry. */
  headSeq: Generated<number>;
  headTag: number;
  /** Position before the oldest entry that is kept. */
  floorSeq: Generated<number>;
  floorTag: number;
  /** `number` of the newest message that retention removed. */
  floorNumber: Generated<number>;
  /** When the oldest entry that retention has not checked was written. */
  oldestAt: Date | null;
  /** TALK messages ever sent. */
  talkCount: Generated<number>;
  /** `talkCount` at the floor. */
  floorTalkCount: Generated<number>;
  /** The highest `number` of a deleted message. */
  lastDeletedNumber: Generated<number>;
  /** The transaction that changed the room last. */
  changedXid: Generated<string>;
}

export type RoomRole = 'OWNER' | 'MEMBER';
export type NotificationLevel = 'ALL' | 'MENTIONS' | 'NONE';

export interface MembershipTable {
  id: string;
  roomId: string;
  userId: string;
  role: RoomRole;
  joinedAt: Instant;
  /** The read marker: the position of the newest entry that was read, `number` of the newest message up to it, and `talkCount` there. */
  readSeq: Generated<number>;
  readTag: Generated<number>;
  readNumber: Generated<number>;
  readTalk: Generated<number>;
  /** Grows whenever the marker is moved back. */
  readVersion: Generated<number>;
  /** The highest `readNumber` ever. */
  seenNumber: Generated<number>;
  notificationLevel: Generated<NotificationLevel>;
  mutedUntil: Date | null;
  /** The transaction that changed the membership last. */
  changedXid: Generated<string>;
}

export type MessageKind = 'TALK' | 'ENTER' | 'LEAVE';
export type DeletionReason = 'BY_SENDER' | 'BY_OWNER';

export interface MessageTable {
  id: string;
  roomId: string;
  /** Position of the entry that added the message. */
  seq: number;
  tag: number;
  /** `seq` of the newest entry that changed the message. */
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
  /** SHA-256 in hex of the body as it was first sent. A retry is compared with it. Null without a clientMessageId. */
  sentHash: string | null;
}

export type RoomLogTable = {
  roomId: string;
  seq: number;
  tag: number;
  at: Instant;
  /** TALK messages of the room up to this entry. Null for an entry from before the count: the number of the newest message counts. */
  talkCount: Generated<number | null>;
} & StoredEvent;

export type UserRow = Omit<Selectable<UserTable>, 'skeleton'>;
export type RoomRow = Omit<Selectable<RoomTable>, 'changedXid'>;
export type MembershipRow = Omit<Selectable<MembershipTable>, 'changedXid'>;
export type MessageRow = Selectable<MessageTable>;

/**
 * The columns of each table, in full. Statements name their columns, so that they keep working while a newer version adds
 * one: PostgreSQL fails a prepared `select *` whose result type has changed (SQLSTATE 0A000).
 */
const columnsOf =
  <Row>() =>
  <const Names extends readonly (keyof Row)[]>(
    ...names: Exclude<keyof Row, Names[number]> extends never ? Names : [missing: Exclude<keyof Row, Names[number]>]
  ): Names =>
    names as Names;

export const userColumns = columnsOf<UserRow>()(
  'id',
  'subject',
  'name',
  'nameFolded',
  'avatarUrl',
  'createdAt',
  'nameIssuedAt',
  'sharesReceipts',
);
export const roomColumns = columnsOf<RoomRow>()(
  ...(['id', 'kind', 'name', 'nameFolded', 'description', 'subject', 'directKey', 'createdBy', 'createdAt', 'lastActiveAt'] as const),
  ...(['deletedAt', 'memberCount', 'lastNumber', 'headSeq', 'headTag', 'floorSeq', 'floorTag', 'floorNumber', 'oldestAt'] as const),
  ...(['talkCount', 'floorTalkCount', 'lastDeletedNumber'] as const),
);
export const membershipColumns = columnsOf<MembershipRow>()(
  ...(['id', 'roomId', 'userId', 'role', 'joinedAt', 'readSeq', 'readTag', 'readNumber', 'readTalk', 'readVersion'] as const),
  ...(['seenNumber', 'notificationLevel', 'mutedUntil'] as const),
);
export const messageColumns = columnsOf<MessageRow>()(
  ...(['id', 'roomId', 'seq', 'tag', 'changedSeq', 'number', 'kind', 'senderId', 'body', 'createdAt', 'editedAt', 'deletedAt'] as const),
  ...(['deletionReason', 'clientMessageId', 'sentHash'] as const),
);

/** The columns under the name of their table or alias, for statements that join several. */
export const qualified = <const Alias extends string, Name extends string>(alias: Alias, names: readonly Name[]) =>
  names.map((name): `${Alias}.${Name}` => `${alias}.${name}`);

/** The same columns as part of a statement that is written as text. */
export const selection = (alias: string, names: readonly string[]) => sql.join(qualified(alias, names).map((name) => sql.ref(name)));

/**
 * The form in which names are compared and sorted: the same on every database, whatever its locale. Upper case comes last
 * because it has no forms that depend on the position in a word: ß becomes SS, and all three sigmas become one.
 */
export const fold = (name: string) => name.toLowerCase().toUpperCase().normalize('NFC');

/** Sessions that were signed out. */
export interface RevocationTable {
  subject: string;
  /** Empty: all sessions of the subject that were issued up to `issuedThrough`, except `keptSessionId`. */
  sessionId: string;
  /** In seconds, as `iat`. */
  issuedThrough: number | null;
  keptSessionId: string | null;
  expiresAt: Date | null;
  /** The id of the transaction that wrote the row last. */
  writtenBy: Generated<string>;
}

/** What changed lately: a room, a membership (with both ids), a user, or the sessions of a subject. */
export interface ChangeTable {
  xid: Generated<string>;
  slot: Generated<number>;
  roomId: string | null;
  userId: string | null;
  subject: string | null;
}

export type DepartureReason = 'LEFT' | 'REMOVED';

/** A membership that ended. */
export interface DepartureTable {
  userId: string;
  roomId: string;
  xid: Generated<string>;
  at: Instant;
  reason: DepartureReason;
}

/** A start of the database server, or a promotion. */
export interface EpochTable {
  id: Generated<number>;
  startedAt: Instant;
  /** The database and the table, which differ in a restored dump. */
  place: string;
  tag: string;
  firstXid: string;
}
