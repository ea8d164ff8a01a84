// Treats each entry from the bus as the next one. It subscribes before it reads, but never reads the log again.

import * as original from '../../../../src/feed/open-feed.ts';
import type { LogEntry } from '../../../../src/storage/room-log.ts';
import { deliveriesOf, isLastFor, type Open, replaceFeed } from '../../replaced-feed.ts';
import { listen } from './live-room.ts';

export * from '../../../../src/feed/open-feed.ts';

export const openFeed: Open = async (liveRooms, opening) => {
  // Stays open, unread, for the room to be watched.
  const reading = await original.openFeed(liveRooms, { ...opening, wants: () => true });
  return replaceFeed(reading, opening, async function* (ended) {
    const received: LogEntry[] = [];
    let wake = () => {};
    ended.addEventListener('abort', () => wake());
    const receive = (entry: LogEntry) => {
      received.push(entry);
      wake();
    };
    listen(opening.roomId, receive, ended);
    let { seq } = reading.position;
    const deliveries = deliveriesOf(reading, ended);
    for (let caughtUp = false; !caughtUp; ) {
      const { value: delivery } = await deliveries.next();
      if (!delivery) return;
      yield delivery;
      ({ seq } = delivery);
      caughtUp = delivery.type === 'CaughtUp';
    }
    while (!ended.aborted) {
      const entry = received.shift();
      if (!entry) await new Promise<void>((resolve) => (wake = resolve));
      else if (entry.seq > seq) {
        ({ seq } = entry);
        yield entry;
        if (await isLastFor(opening, entry, () => original.openFeed(liveRooms, { ...opening, after: undefined }))) return;
      }
    }
  });
};
