// One room by its id, and the list of the rooms that the viewer may see.

import { encodeMoment } from '../storage/cursor.ts';
import { listRooms, roomCursor } from '../storage/rooms.ts';
import { builder, toConnection } from './builder.ts';
import { requireViewer } from './context.ts';
import { costOfPage } from './cost.ts';
import { idOf, limits, partOfName, text } from './input.ts';
import { readsOf } from './loaders.ts';
import { findRoom, Room } from './node.ts';
import { RoomKind } from './room.ts';

const RoomConnection = builder.connectionObject(
  {
    type: Room,
    name: 'RoomConnection',
    description: 'A page of rooms.',
    fields: (t) => ({
      syncCursor: t.string({
        description:
          'Position of this page among all changes to rooms, from the page’s own snapshot. Pass it as after to viewerEvents once; nothing is lost between page and stream.',
        resolve: (page) => (page as unknown as { syncCursor: string }).syncCursor,
      }),
    }),
  },
  { name: 'RoomEdge', description: 'A room and its place in the list.' },
);

const RoomFilter = builder.inputType('RoomFilter', {
  description: 'Conditions on rooms. A room must meet all of them.',
  fields: (t) => ({
    kind: t.field({ type: RoomKind, description: 'Only rooms of this kind.' }),
    joined: t.boolean({ description: 'True: only rooms that the viewer is a member of. False: only rooms that they are not a member of.' }),
    nameContains: t.string({
      description:
        'Only rooms whose name contains this text. Case-insensitive. For a DIRECT room it is the name of the peer that counts. A text of one or two letters is looked for in the first 10,000 OPEN rooms of the list.',
      validate: partOfName(limits.roomName),
    }),
    subject: t.string({ description: 'Only rooms with exactly this subject.', validate: text(limits.subject) }),
    unread: t.boolean({
      description: 'True: only rooms with unread messages that are not muted. False has no effect.',
    }),
  }),
});

const RoomOrder = builder.enumType('RoomOrder', {
  description: 'Sort order of a list of rooms.',
  values: {
    RECENTLY_ACTIVE: { description: 'By lastActiveAt, newest first.' },
    NEWEST: { description: 'By createdAt, newest first.' },
    NAME: { description: 'By name, case-insensitive.' },
  } as const,
});

builder.queryFields((t) => ({
  room: t.field({
    type: Room,
    nullable: true,
    description: 'Null when there is no such room, or the viewer may not see it; the two look alike.',
    args: { id: t.arg.id({ required: true, description: 'Global id of the room.', validate: idOf('room') }) },
    resolve: (_query, { id }, context) => findRoom(context, id),
  }),
  rooms: t.field({
    type: RoomConnection,
    nullable: true,
    description:
      'The rooms that the viewer may see: every OPEN room, and those the viewer is a member of. Null with UNAUTHENTICATED without a token, so that what was asked for beside it is still answered.',
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: RoomFilter, description: 'Return only rooms that match.' }),
      orderBy: t.arg({ type: RoomOrder, required: true, defaultValue: 'RECENTLY_ACTIVE', description: 'Sort order.' }),
    },
    complexity: costOfPage(),
    resolve: async (_query, { filter, orderBy, ...args }, context) => {
      const page = await listRooms(readsOf(context), requireViewer(context), args, filter ?? {}, orderBy);
      const rooms = { ...page, rows: page.rows.map((row) => ({ ...row, visible: true })) };
      return { ...toConnection(rooms, (row) => roomCursor(orderBy, row)), syncCursor: encodeMoment(page.moment) };
    },
  }),
}));
