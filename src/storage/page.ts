// Pages of a sorted list, by key and never by offset. Every connection of the API uses these rules.

import { badInput } from '../errors.ts';

export interface PageArgs {
  readonly first?: number | null | undefined;
  readonly last?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly before?: string | null | undefined;
}

export interface Page<T> {
  readonly rows: T[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

/** The number of rows, and the end of the list from which they are read. */
export interface Window {
  readonly limit: number;
  readonly fromEnd: boolean;
}

const defaultPageSize = 20;
const maxPageSize = 100;

/** Checks `first` and `last`: 1 to 100, and not both. With neither, the default size from the end that `fallback` names. */
export function toWindow({ first, last }: PageArgs, fallback: 'start' | 'end' = 'start'): Window {
  if (first != null && last != null) throw badInput('first and last cannot be combined.', 'first');
  if (first != null) return { limit: pageSize(first, 'first'), fromEnd: false };
  if (last != null) return { limit: pageSize(last, 'last'), fromEnd: true };
  return { limit: defaultPageSize, fromEnd: fallback === 'end' };
}

function pageSize(size: number, field: string): number {
  if (size < 1 || size > maxPageSize) throw badInput(`${field} must be from 1 to ${maxPageSize}.`, field);
  return size;
}

/**
 * Builds a page from the rows that were read. The query reads one row more than the limit, to find out whether there are more.
 * `beyond` says whether there are rows outside `after` and `before`.
 */
export function toPage<T>(read: T[], { limit, fromEnd }: Window, beyond: { before: boolean; after: boolean }): Page<T> {
  const more = read.length > limit;
  const rows = read.slice(0, limit);
  if (fromEnd) rows.reverse();
  return {
    rows,
    hasPreviousPage: (fromEnd && more) || beyond.before,
    hasNextPage: (!fromEnd && more) || beyond.after,
  };
}
