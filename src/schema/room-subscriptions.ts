// The two subscriptions to a room.

import type { Delivery, Watch } from '../feed/delivery.ts';
import { openFeed } from '../feed/open-feed.ts';
import { builder } from './builder.ts';
import { type Context, requireViewer } from './context.ts';
import { idOf } from './input.ts';
import { Message } from './node.ts';
import { type MessageEvent, messageOf, RoomEvent } from './room-event.ts';

builder.subscriptionFields((t) => {
  const args = {
    roomId: t.arg.id({
      required: true,
      description: 'The room to watch. NOT_FOUND if the viewer may not see it.',
      validate: idOf('room'),
    }),
    after: t.arg.string({
      description:
        'Cursor after which to start: first the events that were missed, then live events. CURSOR_INVALID if the cursor belongs to another room; CURSOR_EXPIRED if its position is no longer kept.',
    }),
  };
  const watch = (wants: Watch['wants']) => (_root: unknown, input: { roomId: string; after?: string | null }, context: Context) =>
    // Retried, because an error here would end the stream although the database may answer soon.
    context.liveRooms.retry(
      () =>
        openFeed(context.liveRooms, {
          roomId: input.roomId,
          viewerId: requireViewer(context),
          after: context.lastEventId ?? input.after ?? undefined,
          wants,
        }),
      () => context.wanted(),
    );
  return {
    messageAdded: t.field({
      type: Message,
      description:
        'The messages of one room, in order. With after: first the missed messages, then live ones, without a gap. Without after: live only.',
      args,
      subscribe: watch((type) => type === 'MessageAdded') as never,
      resolve: (event, _args, context) => messageOf(event as unknown as MessageEvent, _args, context),
    }),
    roomEvents: t.field({
      type: RoomEvent,
      description: 'Everything that changes a room, in one order: the stream that keeps a chat view up to date.',
      args,
      subscribe: watch(() => true) as never,
      resolve: (event) => event as unknown as Delivery,
    }),
  };
});
