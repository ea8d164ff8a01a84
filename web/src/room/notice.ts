// What stands in place of words where nobody said something: someone came or went, or a message was deleted.

import type { ShownMessageFragment } from '../gql/graphql.ts';
import type { Words } from '../words.ts';

/** Undefined for a message that says something. */
export function noticeOf({ kind, sender, deletedAt, deletionReason }: ShownMessageFragment, words: Words): string | undefined {
  const name = sender?.name ?? words.someone;
  if (kind === 'ENTER') return words.entered(name);
  if (kind === 'LEAVE') return words.left(name);
  if (deletedAt !== null) return deletionReason === 'BY_OWNER' ? words.deletedByOwner : words.deletedMessage;
  return undefined;
}
