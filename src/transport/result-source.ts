// The results of a subscription, as the transport uses them: schema/subscription.ts gives them, and a sink takes them.

import type { ExecutionResult } from 'graphql';
import type { Sink } from '../feed/delivery.ts';

export interface ResultSource {
  /** The cursor after the last result that was written. It has moved already when the sink's `write` is called. */
  readonly cursor: string;
  /**
   * Writes every result into the sink, no faster than it is ready. Resolves at the end or after stop(). Rejects with a
   * GraphQLError for the client if it cannot go on; its position has not moved then.
   */
  run(sink: Sink<ExecutionResult>): Promise<void>;
  /** Ends it at once, even while it waits for an entry or the database. Idempotent. */
  stop(): void;
}

export const isResultSource = (result: ResultSource | ExecutionResult): result is ResultSource => 'run' in result;
