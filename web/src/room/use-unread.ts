// What is unread in the open room: where it begins, and what reading it changes. Only a message that is on the screen of a page
// that is seen is read.

import { useEffect, useState } from 'react';
import type { ShownMessageFragment } from '../gql/graphql.ts';
import { useSeen } from '../seen.ts';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';
import { Reader } from './reader.ts';
import type { Opened } from './room-state.ts';
import type { OnScreen } from './use-on-screen.ts';

/** The place of the divider: directly before the first message of others after `after`. */
export interface Divider {
  readonly after: number;
  readonly count: number;
}

export function useUnread({ view, unread }: Opened, { last }: OnScreen): Divider | undefined {
  const { rooms, viewer } = useChat();
  const { id } = view.room;
  const { messages } = view;
  const list = useStore(rooms.mine.list);
  const membership = list?.rooms.find((room) => room.id === id)?.viewerMembership;
  const [reader] = useState(() => new Reader(rooms, id));
  const seen = useSeen();
  const newest = messages.at(-1)?.number ?? 0;
  const isReading = seen && last > 0 && last >= newest;

  useEffect(() => {
    rooms.reading.set(isReading ? id : undefined);
    return () => rooms.reading.set(undefined);
  }, [rooms, id, isReading]);

  const isMember = membership != null;
  useEffect(() => {
    const message = seen && isMember ? messages.findLast(({ number }) => number <= last) : undefined;
    // Sending has marked as read what came before.
    if (message && message.sender?.id !== viewer.id) reader.see(message);
  }, [reader, messages, seen, last, isMember, viewer.id]);

  const [divider, setDivider] = useState<Divider | undefined>(unread);
  const { readThrough = 0, unreadCount = 0, readVersion = 0 } = membership ?? {};
  const [version, setVersion] = useState<number | null>();
  const isMarked = version !== undefined && version !== readVersion;
  if (isMember && version !== readVersion) setVersion(readVersion);
  // It stays where it is while its messages are read.
  const isElsewhere = divider?.after !== readThrough || divider?.count !== unreadCount;
  if (isMember && (unreadCount ?? 0) > 0 && isElsewhere && (isMarked || !isReading)) {
    setDivider({ after: readThrough ?? 0, count: unreadCount ?? 0 });
  }
  return divider;
}

/** The message that the divider is before, if it is loaded. */
export function firstUnreadOf(
  messages: readonly ShownMessageFragment[],
  { after }: Divider,
  viewerId: string,
): ShownMessageFragment | undefined {
  return messages.find(
    ({ number, kind, sender, deletedAt }) => number > after && kind === 'TALK' && sender?.id !== viewerId && deletedAt === null,
  );
}
