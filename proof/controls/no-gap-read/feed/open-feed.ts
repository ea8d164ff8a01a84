// Takes whatever it hears for what comes next. It listens before it reads the history, but looks at the log no more then.

import type { Feed } from '../../../../src/feed/feed.ts';
import * as original from '../../../../src/feed/open-feed.ts';
import type { LogEntry } from '../../../../src/storage/room-log.ts';
import { handOver, isLastFor, type Opening, opening, watchOf } from '../../hand-over.ts';
import { listen } from './live-room.ts';

export * from '../../../../src/feed/open-feed.ts';

export async function openFeed(...as: Opening): Promise<Feed> {
  const watch = watchOf(as);
  // Stays open, unread, for the room to be watched.
  const history = await original.openFeed(...opening(as, { wants: () => true }));
  return handOver(history, watch, async function* (ended) {
    const heard: LogEntry[] = [];
    let wake = () => {};
    ended.addEventListener('abort', () => wake());
    const hear = (entry: LogEntry) => {
      heard.push(entry);
      wake();
    };
    listen(watch.roomId, hear, ended);
    let { seq } = history.position;
    for (let caughtUp = false; !caughtUp; ) {
      const { value: delivery } = await history.next();
      if (!delivery) return;
      yield delivery;
      ({ seq } = delivery);
      caughtUp = delivery.type === 'CaughtUp';
    }
    while (!ended.aborted) {
      const entry = heard.shift();
      if (!entry) await new Promise<void>((resolve) => (wake = resolve));
      else if (entry.seq > seq) {
        ({ seq } = entry);
        yield entry;
        if (await isLastFor(watch, entry, () => original.openFeed(...opening(as, { after: undefined })))) return;
      }
    }
  });
}
