// What someone may do with a message, as the server has it: who sent it edits it; they, and the owner of the room, delete it.

import type { MemberFragment, ShownMessageFragment } from '../gql/graphql.ts';

const isStanding = ({ kind, deletedAt }: ShownMessageFragment) => kind === 'TALK' && deletedAt === null;

export const isEditable = (message: ShownMessageFragment, viewerId: string): boolean =>
  isStanding(message) && message.sender?.id === viewerId;

export const isDeletable = (message: ShownMessageFragment, viewerId: string, mine: MemberFragment | undefined): boolean =>
  isStanding(message) && (message.sender?.id === viewerId || mine?.role === 'OWNER');

export const lastEditable = (messages: readonly ShownMessageFragment[], viewerId: string): ShownMessageFragment | undefined =>
  messages.findLast((message) => isEditable(message, viewerId));
