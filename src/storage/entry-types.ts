// The catalogue of entry types. Tables, the log, the bus, the feed and the schema derive from it: a new type is declared
// here, and the compiler names the other places that need it.

/** The columns of the log that depend on the type of the entry. */
interface EntryColumns {
  readonly messageId: string;
  readonly userId: string;
  readonly throughNumber: number;
}

export type EntryColumn = keyof EntryColumns;

interface EntryTypeDefinition {
  /** The columns that the type sets. They are also the fields of the entry in memory and on the bus. */
  readonly columns: readonly EntryColumn[];
  /** Whether the entry changes the message `messageId`. Cached results of that message are then dropped. */
  readonly changesMessage?: true;
  /** Whose right to the room ends with the entry: that of the user `userId` (if the room is not OPEN), or everyone's. */
  readonly endsRightOf?: 'user' | 'everyone';
}

const entryTypes = {
  MessageAdded: { columns: ['messageId'] },
  MessageEdited: { columns: ['messageId'], changesMessage: true },
  MessageDeleted: { columns: ['messageId'], changesMessage: true },
  MemberJoined: { columns: ['userId'] },
  MemberLeft: { columns: ['userId'], endsRightOf: 'user' },
  HistoryTrimmed: { columns: ['throughNumber'] },
  RoomUpdated: { columns: [] },
  RoomDeleted: { columns: [], endsRightOf: 'everyone' },
} as const satisfies Record<string, EntryTypeDefinition>;

export type EntryType = keyof typeof entryTypes;

/** What happened, and to which object. Never contains a message's body, which is read when the entry is delivered. */
export type LogEvent = {
  readonly [Type in EntryType]: { readonly type: Type } & Pick<EntryColumns, (typeof entryTypes)[Type]['columns'][number]>;
}[EntryType];

/** The columns that the log stores for an event. Null if the type does not set the column. */
export type StoredEvent = { readonly type: string } & { readonly [Column in EntryColumn]: EntryColumns[Column] | null };

/** The unvalidated columns of a row or a bus message. */
type Columns = { readonly [Column in EntryColumn]?: unknown };

/** The columns of an event that sets none. */
const noColumns: Record<EntryColumn, null> = { messageId: null, userId: null, throughNumber: null };
export const entryColumns = Object.keys(noColumns) as EntryColumn[];

/** The types whose entries do not end a right. A type that this version does not know may end one. */
export const typesThatEndNoRight = (Object.keys(entryTypes) as EntryType[]).filter((type) => definitionOf(type).endsRightOf === undefined);

const isEntryType = (type: string): type is EntryType => Object.hasOwn(entryTypes, type);

export const toStored = (event: LogEvent): StoredEvent => ({ ...noColumns, type: event.type, ...columnsOf(event.type, event as Columns) });

/** Undefined for a type that this version does not know: a newer version wrote the entry. */
export const fromStored = (stored: { readonly type: string } & Columns): LogEvent | undefined =>
  isEntryType(stored.type) ? ({ type: stored.type, ...columnsOf(stored.type, stored) } as LogEvent) : undefined;

/** The id of the message that the event changed, if it changed one. */
export const changedMessageId = (event: LogEvent): string | undefined =>
  definitionOf(event.type).changesMessage && 'messageId' in event ? event.messageId : undefined;

/** Whether the event ends the right of a user to a room of which they must be a member. */
export function endsRight(event: LogEvent, userId: string): boolean {
  const { endsRightOf } = definitionOf(event.type);
  return endsRightOf === 'everyone' || (endsRightOf === 'user' && 'userId' in event && event.userId === userId);
}

/** Whether the event is the last one of its room. */
export const endsRoom = (event: LogEvent): boolean => definitionOf(event.type).endsRightOf === 'everyone';

function definitionOf(type: EntryType): EntryTypeDefinition {
  return entryTypes[type];
}

function columnsOf(type: EntryType, source: Columns): object {
  return Object.fromEntries(definitionOf(type).columns.map((column) => [column, source[column]]));
}
