// Delivers what Yoga's pub/sub brings while it is subscribed to, and nothing else.

import * as original from '../../../../src/feed/open-feed.ts';
import { isLastFor, type Open, replaceFeed } from '../../replaced-feed.ts';
import { pubSub } from '../pub-sub.ts';

export * from '../../../../src/feed/open-feed.ts';

export const openFeed: Open = async (liveRooms, opening) => {
  const { roomId } = opening;
  // Whoever may not watch is refused as ever. Where the client left off does not count.
  const open = () => original.openFeed(liveRooms, { ...opening, after: undefined });
  const opened = await open();
  const { position } = opened;
  return replaceFeed(opened, opening, async function* (ended) {
    const events = pubSub.subscribe('room', roomId);
    ended.addEventListener('abort', () => void events.return());
    yield { type: 'CaughtUp', roomId, ...position, at: new Date() };
    for await (const { at, ...entry } of events) {
      const delivery = { ...entry, at: new Date(at) };
      yield delivery;
      if (await isLastFor(opening, delivery, open)) return;
    }
  });
};
