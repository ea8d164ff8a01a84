// What the viewer may do with a message. The server has the same rules: its sender edits it, its sender or the owner deletes it.

import type { MemberFragment, ShownMessageFragment } from '../gql/graphql.ts';

const isShownTalk = ({ kind, deletedAt }: ShownMessageFragment) => kind === 'TALK' && deletedAt === null;

export const isEditable = (message: ShownMessageFragment, viewerId: string): boolean =>
  isShownTalk(message) && message.sender?.id === viewerId;

export const isDeletable = (message: ShownMessageFragment, viewerId: string, membership: MemberFragment | undefined): boolean =>
  isShownTalk(message) && (message.sender?.id === viewerId || membership?.role === 'OWNER');

export const lastEditable = (messages: readonly ShownMessageFragment[], viewerId: string): ShownMessageFragment | undefined =>
  messages.findLast((message) => isEditable(message, viewerId));
