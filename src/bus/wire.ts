// The form of an entry on the bus: compact JSON. Parsing never throws, because others may publish to the same Redis.

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
  ...z.object(columns).partial().shape,
});

export const writeEntry = (entry: LogEntry): string => JSON.stringify(entry);

/** Undefined if the text is not an entry. */
export function readEntry(json: string): LogEntry | UnknownEntry | undefined {
  const parsed = parse(json);
  if (!parsed) return undefined;
  const { roomId, seq, tag, previousTag, at, type, ...rest } = parsed;
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
