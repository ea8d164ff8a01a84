// The open room, as the address names it: `#/room_…`. The server serves a single page.

import { useSyncExternalStore } from 'react';

const pattern = /^#\/(room_\w+)$/;

export const hrefOf = (roomId: string): string => `#/${roomId}`;

export const openRoomAt = (roomId: string): void => {
  location.hash = hrefOf(roomId);
};

export const openList = (): void => {
  location.hash = '#/';
};

export const useRoomId = (): string | undefined => useSyncExternalStore(subscribe, () => pattern.exec(location.hash)?.[1]);

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
}
