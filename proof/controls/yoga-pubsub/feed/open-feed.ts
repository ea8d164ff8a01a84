// Delivers what it receives from Yoga's pub/sub while it is subscribed, and nothing else.

import * as original from '../../../../src/feed/open-feed.ts';
import { isLastFor, type Open, replaceFeed } from '../../replaced-feed.ts';
import { pubSub } from '../pub-sub.ts';

export * from '../../../../src/feed/open-feed.ts';

export const openFeed: Open = async (liveRooms, opening) => {
  const { roomId } = opening;
  // Checks the right as the server does. Ignores the position of the client.
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
