// Loaders gather the keys that one execution asks for into one query. They hang on the context and live as long as it.

import { createContextCache, initContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import type { Context } from './context.ts';

/** A loader of at most one row per key, made when a context first asks for it. */
export function loaderOf<Row>(load: (keys: string[], context: Context) => Promise<readonly Row[]>, keyOf: (row: Row) => string) {
  return createContextCache(
    (context: Context) =>
      new DataLoader<string, Row | null>(async (keys) => {
        const rows = new Map((await load([...keys], context)).map((row) => [keyOf(row), row]));
        return keys.map((key) => rows.get(key) ?? null);
      }),
  );
}

/** Gives the context new loaders: what was loaded before a change is not what is there after it. */
export function forgetLoaded(context: Context): void {
  Object.assign(context, initContextCache());
}
