// How resolvers read the database: through the share of their viewer, with loaders that combine the keys of one execution
// into one query. A loader belongs to a context and lives as long as it.

import { createContextCache, initContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import type { Db } from '../storage/tables.ts';
import type { Context } from './context.ts';

/** The database for the reads of a resolver. */
export const readsOf = createContextCache((context: Context): Db => context.storage.reads(context));

/** A loader of at most one row per key. It is created when a context first uses it. */
export function loaderOf<Row>(load: (keys: string[], context: Context) => Promise<readonly Row[]>, keyOf: (row: Row) => string) {
  return createContextCache(
    (context: Context) =>
      new DataLoader<string, Row | null>(async (keys) => {
        const rows = new Map((await load([...keys], context)).map((row) => [keyOf(row), row]));
        return keys.map((key) => rows.get(key) ?? null);
      }),
  );
}

/** Gives the context new loaders, because rows that were loaded before a change are stale after it. */
export function resetLoaders(context: Context): void {
  Object.assign(context, initContextCache());
}
