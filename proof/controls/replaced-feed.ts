// Helps controls to replace the feeds of the server by feeds that deliver something else.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery, Operation, Sink } from '../../src/feed/delivery.ts';
import type { Feed } from '../../src/feed/feed.ts';
import type { Opening, openFeed } from '../../src/feed/open-feed.ts';
import { encodeCursor } from '../../src/storage/cursor.ts';
import type { LogEntry } from '../../src/storage/room-log.ts';

export type Open = typeof openFeed;

const retryMs = 100;

/** Whether the entry ends the streams of the viewer. `open` opens a feed as the server does, and throws if it may not. */
export async function isLastFor({ viewerId }: Opening, entry: LogEntry, open: () => Promise<Feed>): Promise<boolean> {
  if (entry.type === 'RoomDeleted') return true;
  if (entry.type !== 'MemberLeft' || entry.userId !== viewerId) return false;
  const feed = await open().catch(() => undefined);
  feed?.stop();
  return feed === undefined;
}

/** What a feed delivers, one at a time, until `ended` is aborted. */
export async function* deliveriesOf(feed: Feed, ended: AbortSignal): AsyncGenerator<Delivery, void> {
  const stop = () => feed.stop();
  ended.addEventListener('abort', stop);
  let delivered: Delivery | undefined;
  let done = false;
  let wake = () => {};
  let drain = () => {};
  const sink: Sink<Delivery> = {
    open: true,
    get ready() {
      return delivered === undefined;
    },
    drained: () => new Promise((resolve) => (drain = resolve)),
    write(delivery) {
      delivered = delivery;
      wake();
    },
  };
  const running = feed.run({ shared: undefined, execute: async (deliveries) => deliveries }, sink).finally(() => {
    done = true;
    wake();
  });
  running.catch(() => {});
  try {
    for (;;) {
      const next = delivered;
      delivered = undefined;
      if (next) {
        yield next;
        drain();
      } else if (done) return await running;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    ended.removeEventListener('abort', stop);
    feed.stop();
  }
}

/** A feed in the place of `feed`, which delivers whatever `produce` yields, in whatever order. It stops when `feed` would. */
export function replaceFeed(feed: Feed, { roomId, wants }: Opening, produce: (ended: AbortSignal) => AsyncGenerator<Delivery, void>): Feed {
  const ending = new AbortController();
  const ended = Promise.withResolvers<void>();
  let { position } = feed;

  const deliverAll = async <Result>(operation: Operation<Result>, sink: Sink<Result>) => {
    for await (const delivery of produce(ending.signal)) {
      if (wants(delivery.type)) {
        const result = await execute(operation, delivery);
        while (!sink.ready && sink.open && !ending.signal.aborted) await Promise.race([sink.drained(), ended.promise]);
        if (!sink.ready || ending.signal.aborted) return;
        position = delivery;
        sink.write(result as Result);
      } else position = delivery;
      if (ending.signal.aborted) return;
    }
  };
  const execute = async <Result>(operation: Operation<Result>, delivery: Delivery): Promise<Result | undefined> => {
    while (!ending.signal.aborted) {
      try {
        return (await operation.execute([delivery]))[0] as Result;
      } catch {
        await sleep(retryMs);
      }
    }
    return undefined;
  };
  const replaced: Pick<Feed, 'position' | 'cursor' | 'fanOut' | 'run' | 'stop'> & AsyncIterable<never> = {
    get position() {
      return position;
    },
    get cursor() {
      return encodeCursor(roomId, position);
    },
    fanOut: feed.fanOut,
    // It joins no group, because it delivers something else than others at the head receive.
    run: (operation, sink) => Promise.race([deliverAll(operation, sink), ended.promise]).finally(() => replaced.stop()),
    stop() {
      ending.abort();
      feed.stop();
      ended.resolve();
    },
    [Symbol.asyncIterator]: () => feed[Symbol.asyncIterator](),
  };
  // The server knows a feed by its class.
  return Object.setPrototypeOf(replaced, Object.getPrototypeOf(feed)) as Feed;
}
