// Feeds that hand over something else than they would: what controls put in the place of the server's own.

import type { Delivery } from '../../src/feed/delivery.ts';
import type { Feed } from '../../src/feed/feed.ts';
import type { openFeed, Opening as Watch } from '../../src/feed/open-feed.ts';
import type { LogEntry } from '../../src/storage/room-log.ts';

/** All that feeds are opened with: what the server shares, and last what is to be watched. */
export type Opening = Parameters<typeof openFeed>;

export const watchOf = (opening: Opening) => opening.at(-1) as Watch;

/** The same, with something else to be watched. */
export const opening = (as: Opening, changes: Partial<Watch>) => as.with(-1, { ...watchOf(as), ...changes }) as unknown as Opening;

/** Whether the entry ends the streams of whoever watches. `open` opens a feed as the server does, and throws where it may not. */
export async function isLastFor({ viewerId }: Watch, entry: LogEntry, open: () => Promise<Feed>): Promise<boolean> {
  if (entry.type === 'RoomDeleted') return true;
  if (entry.type !== 'MemberLeft' || entry.userId !== viewerId) return false;
  const feed = await open().catch(() => undefined);
  await feed?.return();
  return feed === undefined;
}

/** What a feed hands over until `ended` is aborted, or nobody asks any more. */
export async function* deliveriesOf(feed: Feed, ended: AbortSignal): AsyncGenerator<Delivery, void> {
  ended.addEventListener('abort', () => void feed.return());
  try {
    for (let result = await feed.next(); !result.done; result = await feed.next()) yield result.value;
  } finally {
    await feed.return();
  }
}

/**
 * A feed that is `feed` but for what it hands over: whatever `deliver` yields, in whatever order, until `ended` is
 * aborted. It is where it last handed something over.
 */
export function handOver(feed: Feed, { wants }: Watch, deliver: (ended: AbortSignal) => AsyncGenerator<Delivery, void>): Feed {
  const ending = new AbortController();
  const ended = Promise.withResolvers<IteratorReturnResult<undefined>>();
  const source = deliver(ending.signal);
  let { position } = feed;
  const next = async (): Promise<IteratorResult<Delivery, undefined>> => {
    for (;;) {
      const result = await source.next();
      if (result.done) return end();
      position = result.value;
      if (wants(result.value.type)) return result;
    }
  };
  const end = async () => {
    ending.abort();
    ended.resolve({ done: true, value: undefined });
    await feed.return();
    source.return().catch(() => {});
    return ended.promise;
  };
  const own = {
    get position() {
      return position;
    },
    // What it hands over is not what others at the head are handed.
    follow: () => undefined,
    next: () => Promise.race([ended.promise, next()]),
    return: end,
    throw: (error: unknown) => end().then(() => Promise.reject(error)),
    [Symbol.asyncIterator]: () => changed,
    [Symbol.asyncDispose]: async () => void (await end()),
  };
  const changed: Feed = new Proxy(feed, {
    get(_, name) {
      const owner = name in own ? own : feed;
      const value: unknown = Reflect.get(owner, name, owner);
      return typeof value === 'function' ? value.bind(owner) : value;
    },
  });
  return changed;
}
