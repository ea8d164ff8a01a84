// Loaded into a server by the controls: breaks it in the way that FUZZ_PLANT names.

import { openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GraphQLFieldResolver } from 'graphql';
import { Feed } from '../../src/feed/feed.ts';
import { schema } from '../../src/schema/index.ts';

type Resolve = GraphQLFieldResolver<unknown, unknown>;

/** Runs `before` each time before a field of the root type of queries is resolved. */
function beforeQueries(before: () => unknown): void {
  for (const field of Object.values(schema.getQueryType()?.getFields() ?? {})) {
    const resolve = field.resolve as Resolve;
    field.resolve = async (...args) => {
      await before();
      return resolve(...args);
    };
  }
}

const held: unknown[] = [];
const heldBytesPerQuery = 500_000;
const lateMs = 2000;

const plants = {
  'resolver-throws': () =>
    beforeQueries(() => {
      throw new TypeError('planted');
    }),
  'promise-rejects': () => beforeQueries(() => void Promise.reject(new Error('planted'))),
  'process-ends': () => beforeQueries(() => setImmediate(() => process.exit(1))),
  'resolver-loops': () =>
    beforeQueries(() => {
      const { user } = process.cpuUsage();
      while (process.cpuUsage().user - user < lateMs * 1000);
    }),
  'resolver-waits': () => beforeQueries(() => sleep(lateMs)),
  'heap-grows': () => beforeQueries(() => held.push(Buffer.alloc(heldBytesPerQuery))),
  'descriptors-stay-open': () => beforeQueries(() => openSync('/dev/null', 'r')),
  'feeds-stay': () => {
    const { run } = Feed.prototype;
    Feed.prototype.run = function (...args) {
      held.push(this);
      return run.apply(this, args);
    };
  },
} satisfies Record<string, () => void>;

export type Plant = keyof typeof plants;

plants[process.env['FUZZ_PLANT'] as Plant]();
