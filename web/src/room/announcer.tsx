// Announces new messages of others to screen readers. The list cannot do it: it renders and drops messages as it scrolls.

import { useEffect, useRef, useState } from 'react';
import type { ShownMessageFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { noticeOf } from './notice.ts';

/** Maximum number of messages announced at once. The newest are announced. */
const maxAnnounced = 3;

export function Announcer({ messages, viewerId }: { messages: readonly ShownMessageFragment[]; viewerId: string }) {
  const words = useWords();
  const [announced, setAnnounced] = useState<readonly ShownMessageFragment[]>([]);
  const last = useRef<number>(undefined);
  const newest = messages.at(-1)?.number ?? 0;
  useEffect(() => {
    const since = last.current;
    last.current = newest;
    if (since === undefined || since >= newest) return;
    const fresh = messages.slice(-maxAnnounced).filter(({ number, sender }) => number > since && sender?.id !== viewerId);
    if (fresh.length > 0) setAnnounced(fresh);
  }, [newest, messages, viewerId]);
  return (
    <div className="visually-hidden" aria-live="polite">
      {announced.map((message) => (
        <p key={message.id}>{noticeOf(message, words) ?? words.saidBy(message.sender?.name ?? words.someone, message.body ?? '')}</p>
      ))}
    </div>
  );
}
