// The stream of the viewer's rooms: one object type for each type of event, and the subscription viewerEvents.

import { BREAK, type FieldNode, type GraphQLResolveInfo, visit } from 'graphql';
import type {
  AccountEvent,
  ViewerCaughtUp,
  ViewerChanged,
  ViewerMembershipChanged,
  ViewerRoomAdded,
  ViewerRoomChanged,
  ViewerRoomRemoved,
} from '../feed/account-event.ts';
import type { DeletedMessage, RemovalReason } from '../storage/accounts.ts';
import type { RoomRow } from '../storage/tables.ts';
import { builder } from './builder.ts';
import { type Context, requireViewer } from './context.ts';
import { Membership, Room, type RoomShape } from './node.ts';
import { dependsOnViewer } from './sharing.ts';
import { Viewer } from './user.ts';

const ViewerEvent = builder.interfaceRef<AccountEvent>('ViewerEvent').implement({
  description:
    'A change to the list of the viewer’s rooms: the room as it is now, not every step in between. Events may be delivered again; none is left out.',
  resolveType: (event) => event.type,
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'Pass it as after to resume. Opaque, valid for 30 days. What changed after it is delivered, some of it again.',
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When the node read the state that the event tells, by the clock of the node.' }),
  }),
});

const roomId = { description: 'Id of the room.' };
const forMembers = ({ row }: { readonly row: RoomRow }): RoomShape => ({ ...row, visible: true, isForMembers: true });

const DeletedNumber = builder.objectRef<DeletedMessage>('DeletedNumber').implement({
  description: 'A message that was deleted.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Number of the message.' }),
    revision: t.exposeInt('revision', {
      description: 'Room.revision with which it was deleted. A client that already has a room of this revision has counted it.',
    }),
  }),
});

const RoomRemovalReason = builder.enumType('RoomRemovalReason', {
  description: 'Why a room left the list.',
  values: {
    LEFT: { description: 'The viewer left.' },
    REMOVED: { description: 'Someone removed the viewer.' },
    DELETED: { description: 'The room was deleted.' },
  } satisfies Record<RemovalReason, { description: string }>,
});

/** Every event type has an object type of the same name. A missing one fails to compile. */
({
  ViewerRoomAdded: builder.objectType(builder.objectRef<ViewerRoomAdded>('ViewerRoomAdded'), {
    description:
      'A room is new in the list, or is shown again as it is now after an absence: joined, added by someone, unmuted, or changed meanwhile. Depends on the viewer.',
    interfaces: [ViewerEvent],
    fields: (t) => ({
      roomId: t.exposeID('roomId', roomId),
      room: t.field({ type: Room, description: 'The room, as it is now.', extensions: dependsOnViewer, resolve: forMembers }),
    }),
  }),
  ViewerRoomChanged: builder.objectType(builder.objectRef<ViewerRoomChanged>('ViewerRoomChanged'), {
    description:
      'Something happened in a room of the list. The same for all of its members: executed and encoded once, unless it selects what depends on the viewer, such as viewerMembership. Not sent for muted rooms, unless includeMuted.',
    interfaces: [ViewerEvent],
    fields: (t) => ({
      roomId: t.exposeID('roomId', roomId),
      room: t.field({ type: Room, description: 'The room, as it is now.', resolve: forMembers }),
      deleted: t.expose('deleted', {
        type: [DeletedNumber],
        description:
          'TALK messages deleted since the last event of this room, for clients that keep counts. Some may be named again: drop those whose revision is not above that of the room as it is known.',
      }),
    }),
  }),
  ViewerRoomRemoved: builder.objectType(builder.objectRef<ViewerRoomRemoved>('ViewerRoomRemoved'), {
    description: 'A room left the list. Nothing of what happened in it afterwards is delivered.',
    interfaces: [ViewerEvent],
    fields: (t) => ({
      roomId: t.exposeID('roomId', roomId),
      removalReason: t.expose('removalReason', { type: RoomRemovalReason, description: 'Why.' }),
    }),
  }),
  ViewerMembershipChanged: builder.objectType(builder.objectRef<ViewerMembershipChanged>('ViewerMembershipChanged'), {
    description: 'The viewer’s own membership changed, on this or another device: marker, level, mute, role.',
    interfaces: [ViewerEvent],
    fields: (t) => ({
      roomId: t.exposeID('roomId', roomId),
      membership: t.field({
        type: Membership,
        description: 'The membership, as it is now.',
        extensions: dependsOnViewer,
        resolve: ({ membership }) => membership,
      }),
    }),
  }),
  ViewerChanged: builder.objectType(builder.objectRef<ViewerChanged>('ViewerChanged'), {
    description:
      'The viewer’s name, picture, settings or totals changed. Of totals only a client that selects them is told: at most once a second, and later where many are.',
    interfaces: [ViewerEvent],
    fields: (t) => ({
      viewer: t.field({
        type: Viewer,
        description: 'The viewer, as they are now.',
        extensions: dependsOnViewer,
        resolve: (event) => event,
      }),
    }),
  }),
  ViewerCaughtUp: builder.objectType(builder.objectRef<ViewerCaughtUp>('ViewerCaughtUp'), {
    description: 'Everything that was missed has been delivered, and what follows is live. Without after it is the first event.',
    interfaces: [ViewerEvent],
    fields: (t) => ({
      complete: t.exposeBoolean('complete', {
        description:
          'True: these were all rooms of the list, and a client drops those that were not named since the stream began or caught up before. It may come again later, after the database was restored.',
      }),
    }),
  }),
}) satisfies Record<AccountEvent['type'], unknown>;

/** Whether the operation selects `Viewer.unread`, as far as its names say. */
function selectsTotals({ operation, fragments }: GraphQLResolveInfo): boolean {
  let found = false;
  const Field = ({ name }: FieldNode) => {
    if (name.value !== 'unread') return undefined;
    found = true;
    return BREAK;
  };
  for (const node of [operation, ...Object.values(fragments)]) visit(node, { Field });
  return found;
}

builder.subscriptionField('viewerEvents', (t) =>
  t.field({
    type: ViewerEvent,
    description:
      'Everything that changes the list of the viewer’s rooms: rooms they were added to, activity, what they read on another device. Each room as it is now, not every step in between. With after: first what changed meanwhile, then ViewerCaughtUp, then live. Delivery is at least once; states converge to what a fresh page shows. A room with more than 1,000 listeners is told at most once a second, and so is a viewer whose rooms change more than 5 times a second.',
    args: {
      after: t.arg.string({
        description:
          'Cursor of an event or syncCursor of a page of rooms, after which to start. Without it: only what changes from now on. CURSOR_INVALID if it is not one; CURSOR_EXPIRED if it is older than 30 days: load the list again.',
      }),
      includeMuted: t.arg.boolean({
        required: true,
        defaultValue: false,
        description:
          'Whether changes of rooms that the viewer has muted are sent at once, and not only on resuming or at the end of the mute.',
      }),
    },
    subscribe: ((_root: unknown, input: { after?: string | null; includeMuted: boolean }, context: Context, info: GraphQLResolveInfo) =>
      // Retried, because an error here would end the stream although the database may answer soon.
      context.liveRooms.retry(
        () =>
          context.accounts.open({
            userId: requireViewer(context),
            includeMuted: input.includeMuted,
            wantsTotals: selectsTotals(info),
            after: context.lastEventId ?? input.after ?? undefined,
          }),
        () => context.wanted(),
      )) as never,
    resolve: (event) => event as unknown as AccountEvent,
  }),
);
