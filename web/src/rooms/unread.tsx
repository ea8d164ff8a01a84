// A number of unread messages. Above 99 it says so, because the server counts exactly up to 100.

import { useWords } from '../language.ts';

const mostShown = 99;

export const shortly = (count: number): string => (count > mostShown ? `${mostShown}+` : String(count));

export function Unread({ count }: { count: number }) {
  const words = useWords();
  if (count === 0) return null;
  return (
    <span className="unread">
      <span aria-hidden="true">{shortly(count)}</span>
      <span className="visually-hidden">{words.unreadCount(shortly(count))}</span>
    </span>
  );
}
