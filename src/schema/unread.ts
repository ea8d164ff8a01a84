// The unread totals of a viewer.

import { createContextCache } from '@pothos/core';
import { readUnreadTotals, type UnreadTotals as UnreadTotalsShape } from '../storage/unread.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { readsOf } from './loaders.ts';

export const UnreadTotals = builder.objectRef<UnreadTotalsShape>('UnreadTotals').implement({
  description: 'What a viewer has not read, in all of their rooms that are not muted. The sum of Membership.unreadCount, of one snapshot.',
  fields: (t) => ({
    rooms: t.exposeInt('rooms', { description: 'Number of rooms with unread messages.' }),
    messages: t.exposeInt('messages', { description: 'Number of unread messages.' }),
  }),
});

/** Read once for each user and execution. */
const totals = createContextCache((_context: Context) => new Map<string, Promise<UnreadTotalsShape>>());

export function unreadTotalsOf({ userId }: { readonly userId: string }, context: Context): Promise<UnreadTotalsShape> {
  const known = totals(context).get(userId) ?? readUnreadTotals(readsOf(context), userId);
  totals(context).set(userId, known);
  return known;
}
