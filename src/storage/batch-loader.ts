// Loads by key: one query for all keys that are requested in one turn of the event loop, or while a query runs. Nothing is
// cached, so what a request gets was read after it.

import DataLoader from 'dataloader';

export type BatchLoader<Key, Row> = DataLoader<Key, Row | undefined>;

/**
 * Runs one query at a time. What is requested while a query runs is loaded together by the next one, so that the queries of
 * a busy node grow larger and not more. `find` returns a row or undefined for each key, in order.
 */
export function loaderOf<Key, Row>(
  keysPerQuery: number,
  find: (keys: readonly Key[]) => Promise<readonly (Row | undefined)[]>,
): BatchLoader<Key, Row> {
  let running: Promise<unknown> | undefined;
  const load = (keys: readonly Key[]) => {
    const query = find(keys);
    const ended = query.then(
      () => {},
      () => {},
    );
    running = ended;
    void ended.then(() => {
      if (running === ended) running = undefined;
    });
    return query;
  };
  const schedule = (dispatch: () => void) => {
    if (running) void running.then(() => schedule(dispatch));
    // As DataLoader does: after the promises of this turn, which may request more.
    else void Promise.resolve().then(() => process.nextTick(dispatch));
  };
  return new DataLoader(load, { cache: false, maxBatchSize: keysPerQuery, batchScheduleFn: schedule });
}
