// Hands over the history, and listens once all of it is handed over: what is committed in between is passed over.

import type { Feed } from '../../../../src/feed/feed.ts';
import * as original from '../../../../src/feed/open-feed.ts';
import { deliveriesOf, handOver, type Opening, opening, watchOf } from '../../hand-over.ts';

export * from '../../../../src/feed/open-feed.ts';

export async function openFeed(...as: Opening): Promise<Feed> {
  const watch = watchOf(as);
  if (watch.after === undefined) return original.openFeed(...as);
  const history = await original.openFeed(...opening(as, { wants: () => true }));
  return handOver(history, watch, async function* (ended) {
    for await (const delivery of deliveriesOf(history, ended)) {
      if (delivery.type === 'CaughtUp') break;
      yield delivery;
    }
    if (!ended.aborted) yield* deliveriesOf(await original.openFeed(...opening(as, { after: undefined, wants: () => true })), ended);
  });
}
