// Hands over what Yoga's pub/sub brings while it is subscribed to, and nothing else.

import type { Feed } from '../../../../src/feed/feed.ts';
import * as original from '../../../../src/feed/open-feed.ts';
import { handOver, isLastFor, type Opening, opening, watchOf } from '../../hand-over.ts';
import { pubSub } from '../pub-sub.ts';

export * from '../../../../src/feed/open-feed.ts';

export async function openFeed(...as: Opening): Promise<Feed> {
  const watch = watchOf(as);
  const { roomId } = watch;
  // Whoever may not watch is refused as ever. Where the client left off does not count.
  const open = () => original.openFeed(...opening(as, { after: undefined }));
  const looked = await open();
  const { position } = looked;
  return handOver(looked, watch, async function* (ended) {
    const events = pubSub.subscribe('room', roomId);
    ended.addEventListener('abort', () => void events.return());
    yield { type: 'CaughtUp', roomId, ...position, at: new Date() };
    for await (const { at, ...entry } of events) {
      const delivery = { ...entry, at: new Date(at) };
      yield delivery;
      if (await isLastFor(watch, delivery, open)) return;
    }
  });
}
