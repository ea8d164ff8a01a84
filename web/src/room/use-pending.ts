// The viewer's own messages that the view of a room does not show yet: being sent, refused, or just acknowledged.

import { useEffect, useMemo } from 'react';
import type { ShownMessageFragment } from '../gql/graphql.ts';
import type { Unsent } from '../outbox.ts';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';

const none: readonly Unsent[] = [];

export function usePending(roomId: string, messages: readonly ShownMessageFragment[]): readonly Unsent[] {
  const { outbox, viewer } = useChat();
  const all = useStore(outbox.unsent);
  const newest = messages.at(-1)?.number ?? 0;
  useEffect(() => outbox.settle(roomId, newest), [outbox, roomId, newest]);
  return useMemo(() => {
    const unsent = all.filter((one) => one.roomId === roomId && (one.number ?? Infinity) > newest);
    if (unsent.length === 0) return none;
    // The event may arrive before the answer. A key is unique per sender only.
    const own = messages.filter(({ sender }) => sender?.id === viewer.id);
    const shown = new Set(own.map(({ clientMessageId }) => clientMessageId));
    return unsent.filter(({ clientMessageId }) => !shown.has(clientMessageId));
  }, [all, roomId, newest, messages, viewer.id]);
}
