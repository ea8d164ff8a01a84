// An entry on its way through Redis: compact JSON. Reading never throws; what is not an entry is undefined.

import { z } from 'zod';
import type { LogEntry } from '../storage/room-log.ts';

const position = {
  roomId: z.string().max(64),
  seq: z.int().positive(),
  tag: z.int(),
  previousTag: z.int(),
  at: z.iso.datetime().transform((at) => new Date(at)),
};
const entry = z.discriminatedUnion('type', [
  z.object({ ...position, type: z.enum(['MessageAdded', 'MessageEdited', 'MessageDeleted']), messageId: z.string().max(64) }),
  z.object({ ...position, type: z.enum(['MemberJoined', 'MemberLeft']), userId: z.string().max(64) }),
  z.object({ ...position, type: z.literal('HistoryTrimmed'), throughNumber: z.int().nonnegative() }),
  z.object({ ...position, type: z.enum(['RoomUpdated', 'RoomDeleted']) }),
]);

export const writeEntry = (value: LogEntry): string => JSON.stringify(value);

export function readEntry(text: string): LogEntry | undefined {
  try {
    return entry.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
