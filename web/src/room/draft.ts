// The text that the viewer is writing in a room. It survives a reload and a new sign-in.

import { tab } from '../storage.ts';
import { Store } from '../store.ts';

const prefixOf = (viewerId: string) => `gapless.draft.${viewerId}.`;
const drafts = new Map<string, Store<string>>();

export function draftOf(viewerId: string, roomId: string): Store<string> {
  const key = prefixOf(viewerId) + roomId;
  const known = drafts.get(key);
  if (known) return known;
  const draft = new Store(tab.get(key) ?? '');
  draft.subscribe(() => (draft.value === '' ? tab.remove(key) : tab.set(key, draft.value)));
  drafts.set(key, draft);
  return draft;
}

/** Moves the drafts of a former guest to the current one. */
export function inheritDrafts(fromViewerId: string, toViewerId: string): void {
  for (const key of tab.keys(prefixOf(fromViewerId))) {
    tab.set(prefixOf(toViewerId) + key.slice(prefixOf(fromViewerId).length), tab.get(key) ?? '');
    tab.remove(key);
  }
}

export function forgetDrafts(viewerId: string): void {
  for (const key of tab.keys(prefixOf(viewerId))) {
    drafts.delete(key);
    tab.remove(key);
  }
}
