// What is being written in a room, kept through reloads and signing in again.

import { tab } from '../keep.ts';
import { Store } from '../store.ts';

const prefix = 'gapless.draft.';
const drafts = new Map<string, Store<string>>();

export function draftOf(roomId: string): Store<string> {
  const known = drafts.get(roomId);
  if (known) return known;
  const draft = new Store(tab.get(prefix + roomId) ?? '');
  draft.subscribe(() => (draft.value === '' ? tab.remove(prefix + roomId) : tab.set(prefix + roomId, draft.value)));
  drafts.set(roomId, draft);
  return draft;
}

/** For whoever signs in next. */
export function forgetDrafts(): void {
  for (const draft of drafts.values()) draft.set('');
  for (const key of tab.keys(prefix)) tab.remove(key);
}
