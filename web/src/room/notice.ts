// The text of a message without a body: someone joined or left, or the message was deleted.

import type { ShownMessageFragment } from '../gql/graphql.ts';
import type { Words } from '../words.ts';

/** Undefined for a message with a body. */
export function noticeOf({ kind, sender, deletedAt, deletionReason }: ShownMessageFragment, words: Words): string | undefined {
  const name = sender?.name ?? words.someone;
  if (kind === 'ENTER') return words.entered(name);
  if (kind === 'LEAVE') return words.left(name);
  if (deletedAt !== null) return deletionReason === 'BY_OWNER' ? words.deletedByOwner : words.deletedMessage;
  return undefined;
}
