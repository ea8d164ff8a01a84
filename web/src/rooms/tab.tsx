// The tab of the page: how many messages are unread, in its title, its icon, and on the icon of an installed app.

import { useEffect } from 'react';
import { useChat } from '../session/signed-in.ts';
import { Store, useStore } from '../store.ts';
import { isMuted } from './muted.ts';
import { shortly } from './unread.tsx';

/** The title of the open room. */
export const openTitle = new Store<string | undefined>(undefined);

const unreadIcon = new URL('../icon-unread.svg', import.meta.url).href;
const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
const readIcon = icon?.href ?? '';

export function Tab() {
  const { rooms } = useChat();
  const list = useStore(rooms.mine.list);
  const reading = useStore(rooms.reading);
  const title = useStore(openTitle);
  const read = list?.rooms.find(({ id, viewerMembership }) => id === reading && !isMuted(viewerMembership));
  const count = Math.max(0, (list?.unread.messages ?? 0) - (read?.viewerMembership?.unreadCount ?? 0));
  useEffect(() => {
    const name = title === undefined ? 'Gapless' : `${title} · Gapless`;
    document.title = count > 0 ? `(${shortly(count)}) ${name}` : name;
  }, [title, count]);
  useEffect(() => {
    if (icon) icon.href = count > 0 ? unreadIcon : readIcon;
    // Not every browser has it, and it fails where the page is not installed.
    void navigator.setAppBadge?.(count).catch(() => {});
  }, [count]);
  useEffect(
    () => () => {
      document.title = 'Gapless';
      if (icon) icon.href = readIcon;
      void navigator.clearAppBadge?.().catch(() => {});
    },
    [],
  );
  return null;
}
