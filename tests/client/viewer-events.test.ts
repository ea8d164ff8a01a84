// A subscription to viewerEvents: all events of a moment have the same cursor, and none of them is dropped.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Payload, Result, Sink, Subscriber } from '../../src/client/subscriber.ts';
import { until } from '../support/process.ts';
import { Watcher } from '../support/ways.ts';

const query = 'subscription ($after: String) { viewerEvents(after: $after) { __typename cursor ... on ViewerRoomChanged { roomId } } }';

const caughtUp = (cursor: string): Result => ({ data: { viewerEvents: { __typename: 'ViewerCaughtUp', cursor } } });
const changed = (cursor: string, roomId: string): Result => ({
  data: { viewerEvents: { __typename: 'ViewerRoomChanged', cursor, roomId } },
});

/** Each attempt sends its results and then fails, except for the last. */
class Attempts implements Subscriber {
  readonly afters: unknown[] = [];
  readonly #results: readonly (readonly Result[])[];

  constructor(...results: readonly (readonly Result[])[]) {
    this.#results = results;
  }

  subscribe(payload: Payload, sink: Sink): () => void {
    const results = this.#results[this.afters.length] ?? [];
    this.afters.push(payload.variables?.['after']);
    const isLast = this.afters.length >= this.#results.length;
    setTimeout(() => {
      for (const result of results) sink.next(result);
      if (!isLast) sink.error(new Error('The network failed.'));
    });
    return () => {};
  }
}

const watch = (attempts: Attempts, text = query) =>
  new Watcher(attempts, { query: text, variables: { after: 'page' } }, { backoff: { firstMs: 0, maxMs: 0 } });
const roomsOf = ({ events }: Watcher) => events.map((event) => (event as { roomId?: string }).roomId ?? event.__typename);

describe('a subscription to viewerEvents', () => {
  it('delivers events that have the same cursor, also after a break', async () => {
    const attempts = new Attempts(
      [caughtUp('1'), changed('1', 'a'), changed('1', 'b')],
      [changed('1', 'b'), caughtUp('2'), changed('2', 'a'), changed('2', 'a')],
    );
    using watcher = watch(attempts);
    await until('all arrive', () => watcher.events.length >= 7);
    assert.deepEqual(roomsOf(watcher), ['ViewerCaughtUp', 'a', 'b', 'b', 'ViewerCaughtUp', 'a', 'a']);
    assert.deepEqual([attempts.afters, watcher.ends], [['page', '1'], []]);
  });

  it('is lagging until ViewerCaughtUp, then live, and again after a break', async () => {
    const attempts = new Attempts([changed('page', 'a'), caughtUp('1'), changed('1', 'b')], [changed('1', 'b'), caughtUp('2')]);
    using watcher = watch(attempts);
    await until('it is live again', () => watcher.events.length >= 5);
    assert.deepEqual(watcher.statuses, ['connecting', 'lagging', 'live', 'connecting', 'lagging', 'live']);
  });

  it('ends with an error that says what its text lacks', () => {
    const faults: [string, RegExp][] = [
      ['subscription ($after: String) { viewerEvents(after: $after) { cursor } }', /`__typename` of viewerEvents, so ViewerCaughtUp/],
      ['subscription ($after: String) { viewerEvents(after: $after) { __typename } }', /select `cursor`/],
      ['subscription { viewerEvents { __typename cursor } }', /does not use \$after/],
    ];
    for (const [text, message] of faults) {
      using watcher = watch(new Attempts(), text);
      assert.match(String(watcher.ends[0]), message);
    }
  });
});
