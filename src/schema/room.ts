// A room: its kind and its fields. What depends on the viewer is loaded for all rooms of an answer together.

import { encodeCursor } from '../storage/cursor.ts';
import { findMembershipsOf, findPeers, listMembers, memberCursor } from '../storage/members.ts';
import { findLastMessages, listMessages, messageCursor } from '../storage/messages.ts';
import { builder, toConnection } from './builder.ts';
import { requireViewer } from './context.ts';
import { costOfPage, costOfText } from './cost.ts';
import { limits } from './input.ts';
import { loaderOf, readsOf } from './loaders.ts';
import { MembershipConnection } from './membership.ts';
import { MessageConnection } from './message.ts';
import { Membership, Message, Room, User } from './node.ts';
import { dependsOnViewer } from './sharing.ts';

export const RoomKind = builder.enumType('RoomKind', {
  description: 'Who may see a room and how they become members. The kind of a room never changes.',
  values: {
    OPEN: { description: 'Listed; any signed-in user may read and join.' },
    PRIVATE: { description: 'Unlisted; members only, by invitation.' },
    DIRECT: { description: 'Two members, one room per pair and subject.' },
  } as const,
});

const roomIdOf = (row: { roomId: string }) => row.roomId;
const peers = loaderOf((ids, context) => findPeers(readsOf(context), requireViewer(context), ids), roomIdOf);
const viewerMemberships = loaderOf((ids, context) => {
  const viewerId = requireViewer(context);
  return findMembershipsOf(readsOf(context), viewerId, viewerId, ids);
}, roomIdOf);
const lastMessages = loaderOf((ids, context) => findLastMessages(readsOf(context), requireViewer(context), ids), roomIdOf);

Room.implement({
  description: 'A chat room. For a viewer who may not see it, it does not exist.',
  fields: (t) => ({
    kind: t.expose('kind', { type: RoomKind, description: 'Who may see the room and how they become members.' }),
    name: t.exposeString('name', {
      description: 'For a DIRECT room a label made of both names, the same for everyone; a client shows peer instead.',
    }),
    description: t.exposeString('description', {
      nullable: true,
      complexity: costOfText(limits.description),
      description: 'Purpose of the room, written by its owner.',
    }),
    subject: t.exposeString('subject', {
      nullable: true,
      description: 'What the room is about in the host application, such as trade:42.',
    }),
    createdBy: t.field({
      type: User,
      nullable: true,
      description: 'The user who created the room. Null once the account was erased.',
      resolve: ({ createdBy }) => createdBy,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the room was created.' }),
    lastActiveAt: t.expose('lastActiveAt', {
      type: 'DateTime',
      description:
        'When the newest TALK message was sent, or the room was created. What RECENTLY_ACTIVE sorts by; joining and leaving do not move it.',
    }),
    memberCount: t.exposeInt('memberCount', { description: 'Number of members.' }),
    talkCount: t.exposeInt('talkCount', {
      description:
        'Number of TALK messages ever sent to this room. Deleting a message does not lower it. Unread counts are differences of it. Of messages from before the server counted, those about joining and leaving count too.',
    }),
    revision: t.int({
      description: 'Increases with every change of the room. Of two states of a room, the one with the higher revision is the newer.',
      resolve: ({ headSeq }) => headSeq,
    }),
    peer: t.field({
      type: User,
      nullable: true,
      description: 'The other member of a DIRECT room, for its title and picture. Null in other rooms. Depends on the viewer.',
      extensions: dependsOnViewer,
      resolve: async (room, _args, context) => {
        if (!room.visible || room.kind !== 'DIRECT') return null;
        return (await peers(context).load(room.id))?.userId ?? null;
      },
    }),
    viewerMembership: t.field({
      type: Membership,
      nullable: true,
      description: 'The membership of the viewer. Null when the viewer is not a member.',
      extensions: dependsOnViewer,
      resolve: async (room, _args, context) => {
        if (!room.visible) return null;
        if (!room.isForMembers) return viewerMemberships(context).load(room.id);
        return (await context.storage.rows.standing(requireViewer(context), room.id))?.membership ?? null;
      },
    }),
    lastMessage: t.field({
      type: Message,
      nullable: true,
      complexity: costOfText(limits.body),
      description: 'The newest TALK message that is not deleted.',
      resolve: async (room, _args, context) => {
        if (!room.visible) return null;
        return (room.isForMembers ? await context.storage.rows.lastMessage(room.id) : await lastMessages(context).load(room.id)) ?? null;
      },
    }),
    members: t.field({
      type: MembershipConnection,
      description: 'The members, in the order in which they joined.',
      args: t.arg.connectionArgs(),
      complexity: costOfPage(),
      resolve: async (room, args, context) =>
        toConnection(await listMembers(readsOf(context), requireViewer(context), room.id, args), memberCursor),
    }),
    messages: t.field({
      type: MessageConnection,
      description:
        'In room order, whichever end is asked for. With neither first nor last: the last 20, or with after the first 20 beyond it. hasNextPage and hasPreviousPage are both exact. Deleted messages stay in place as tombstones; what retention removed is gone. CURSOR_INVALID if the cursor belongs to another room; CURSOR_EXPIRED if its position is no longer kept.',
      args: t.arg.connectionArgs(),
      complexity: costOfPage(costOfText(limits.body)),
      resolve: async (room, args, context) => {
        const page = await listMessages(readsOf(context), requireViewer(context), room.id, args);
        return { ...toConnection(page, messageCursor), syncCursor: encodeCursor(room.id, page.sync) };
      },
    }),
  }),
});
