// The form of an entry on the bus: compact JSON, with the id of the database. Parsing never throws, because others may publish
// to the same Redis.

import { z } from 'zod';
import { type EntryColumn, entryColumns, fromStored } from '../storage/entry-types.ts';
import type { LogEntry } from '../storage/room-log.ts';
import type { UnknownEntry } from '../storage/unknown-entry.ts';

const text = z.string().max(64);
const columns = { messageId: text, userId: text, throughNumber: z.int().nonnegative() } satisfies Record<EntryColumn, z.ZodType>;

const message = z.object({
  roomId: text,
  seq: z.int().positive(),
  tag: z.int(),
  previousTag: z.int(),
  at: z.iso.datetime().transform((at) => new Date(at)),
  type: text,
  database: text.optional(),
  ...z.object(columns).partial().shape,
});

/** `database` is the id of the database that holds the entry. Nodes of earlier versions ignore it. */
export const writeEntry = (entry: LogEntry, database?: string): string =>
  database === undefined ? JSON.stringify(entry) : `${JSON.stringify(entry).slice(0, -1)},"database":${JSON.stringify(database)}}`;

/**
 * Undefined if the text is not an entry, and `foreign` if it is one of another database. Nodes of earlier versions do not name
 * theirs. It counts as this one, so that entries travel between the versions during an upgrade.
 */
export function readEntry(json: string, ownDatabase?: string): LogEntry | UnknownEntry | 'foreign' | undefined {
  const parsed = parse(json);
  if (!parsed) return undefined;
  const { roomId, seq, tag, previousTag, at, type, database, ...rest } = parsed;
  if (database !== undefined && ownDatabase !== undefined && database !== ownDatabase) return 'foreign';
  const event = fromStored({ type, ...rest });
  if (!event) return { roomId, seq, unknownType: type };
  const complete = entryColumns.every((column) => !(column in event) || rest[column] !== undefined);
  return complete ? { roomId, seq, tag, previousTag, at, ...event } : undefined;
}

function parse(json: string) {
  try {
    return message.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}
