// Reads the log to its end, and subscribes to the room only then: what is committed in between is skipped.

import * as original from '../../../../src/feed/open-feed.ts';
import { deliveriesOf, type Open, replaceFeed } from '../../replaced-feed.ts';

export * from '../../../../src/feed/open-feed.ts';

export const openFeed: Open = async (liveRooms, opening) => {
  if (opening.after === undefined) return original.openFeed(liveRooms, opening);
  const wants = () => true;
  const reading = await original.openFeed(liveRooms, { ...opening, wants });
  return replaceFeed(reading, opening, async function* (ended) {
    for await (const delivery of deliveriesOf(reading, ended)) {
      if (delivery.type === 'CaughtUp') break;
      yield delivery;
    }
    if (!ended.aborted) yield* deliveriesOf(await original.openFeed(liveRooms, { ...opening, after: undefined, wants }), ended);
  });
};
