// Delivers an execution that failed as a result without data, and moves on to the next entry.

import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Operation, Sink } from '../../../../src/feed/delivery.ts';
import { Feed as Original } from '../../../../src/feed/feed.ts';

export * from '../../../../src/feed/feed.ts';

const failed: ExecutionResult = { data: null, errors: [new GraphQLError('It failed.', { extensions: { code: 'INTERNAL' } })] };

export class Feed extends Original {
  override run<Result>(operation: Operation<Result>, sink: Sink<Result>): Promise<void> {
    const { shared } = operation;
    const instead = failed as Result;
    return super.run(
      {
        execute: (deliveries) => operation.execute(deliveries).catch(() => deliveries.map(() => instead)),
        shared: shared && {
          key: shared.key,
          execute: (entries) => shared.execute(entries).catch(() => entries.map(() => instead)),
        },
      },
      sink,
    );
  }
}
