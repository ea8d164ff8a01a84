// Counters of a node and of its links. A fault that has an effect makes some of them grow.

/** Numbers by name, such as `redis.reconnects`. */
export type Counts = Readonly<Record<string, number>>;

/** Every number in the object, named by its path. */
export function flatten(value: object, way = ''): Counts {
  const numbers = Object.entries(value).flatMap(([name, inner]): [string, number][] => {
    if (typeof inner === 'number') return [[`${way}${name}`, inner]];
    return typeof inner === 'object' && inner !== null ? Object.entries(flatten(inner, `${way}${name}.`)) : [];
  });
  return Object.fromEntries(numbers);
}

/**
 * Total growth of these counters over all nodes. Ignores counters that are missing before or after, and those that a
 * restart reset.
 */
export function growth(before: readonly Counts[], after: readonly Counts[], ...names: readonly string[]): number {
  const grown = after.flatMap((counts, node) => names.map((name) => (counts[name] ?? 0) - (before[node]?.[name] ?? counts[name] ?? 0)));
  return grown.reduce((sum, each) => sum + Math.max(0, each), 0);
}
