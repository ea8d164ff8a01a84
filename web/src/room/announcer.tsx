// Reads out what others say while one is in the room. The list itself cannot: it draws and drops messages as it scrolls.

import { useEffect, useRef, useState } from 'react';
import type { ShownMessageFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { noticeOf } from './notice.ts';

/** Of many at once, the last are read. */
const maxRead = 3;

export function Announcer({ messages, viewerId }: { messages: readonly ShownMessageFragment[]; viewerId: string }) {
  const words = useWords();
  const [heard, setHeard] = useState<readonly ShownMessageFragment[]>([]);
  const last = useRef<number>(undefined);
  const newest = messages.at(-1)?.number ?? 0;
  useEffect(() => {
    const since = last.current;
    last.current = newest;
    if (since === undefined || since >= newest) return;
    const fresh = messages.slice(-maxRead).filter(({ number, sender }) => number > since && sender?.id !== viewerId);
    if (fresh.length > 0) setHeard(fresh);
  }, [newest, messages, viewerId]);
  return (
    <div className="visually-hidden" aria-live="polite">
      {heard.map((message) => (
        <p key={message.id}>{noticeOf(message, words) ?? words.saidBy(message.sender?.name ?? words.someone, message.body ?? '')}</p>
      ))}
    </div>
  );
}
