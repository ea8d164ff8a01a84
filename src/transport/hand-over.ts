// Hands a subscription's results to its client, no faster than that reads, and each once.

import type { ExecutionResult } from 'graphql';
import type { Sink } from '../feed/delivery.ts';
import type { ResultStream } from '../schema/subscription.ts';
import type { Connection } from './connection.ts';

/** Where the results of one subscription go. */
export interface ResultSink extends Sink<ExecutionResult> {
  /** Whether anybody wants more. */
  readonly open: boolean;
}

/**
 * Resolves when the stream has ended, or nobody wants more. Throws as the stream does.
 *
 * 1. At the head the results come by themselves, for as long as the client keeps up.
 * 2. Elsewhere one is asked for at a time. Others of the same connection may have filled it meanwhile: a thousand that all
 *    had their next event would be a thousand too many.
 */
export async function handOver(results: ResultStream, connection: Connection, sink: ResultSink): Promise<void> {
  for (;;) {
    while (connection.full) await connection.drained();
    // Whoever is being closed is read nothing more for.
    if (!sink.open) return void (await results.return());
    const following = results.follow?.(sink); // 1
    if (following) {
      await following;
      continue;
    }
    const { done, value } = await results.next(); // 2
    if (done) return;
    while (connection.full) await connection.drained();
    if (sink.open) sink.write(value);
  }
}
