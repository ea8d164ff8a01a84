// Whether the page is seen: it is visible, and has the focus.

import { useSyncExternalStore } from 'react';

const isSeen = () => document.visibilityState === 'visible' && document.hasFocus();

export const useSeen = (): boolean => useSyncExternalStore(subscribe, isSeen);

function subscribe(listener: () => void): () => void {
  document.addEventListener('visibilitychange', listener);
  window.addEventListener('focus', listener);
  window.addEventListener('blur', listener);
  return () => {
    document.removeEventListener('visibilitychange', listener);
    window.removeEventListener('focus', listener);
    window.removeEventListener('blur', listener);
  };
}
