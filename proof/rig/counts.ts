// What a node counts of its own troubles, and its links of theirs: a fault that was felt makes some of it grow.

/** Numbers by name, such as `redis.reconnects`. */
export type Counts = Readonly<Record<string, number>>;

/** Every number in there, named by the way to it. */
export function flatten(value: object, way = ''): Counts {
  const numbers = Object.entries(value).flatMap(([name, inner]): [string, number][] => {
    if (typeof inner === 'number') return [[`${way}${name}`, inner]];
    return typeof inner === 'object' && inner !== null ? Object.entries(flatten(inner, `${way}${name}.`)) : [];
  });
  return Object.fromEntries(numbers);
}

/**
 * By how much these have grown, all nodes together. What a node did not say before or does not say after is left out,
 * and so is what a restart set back.
 */
export function growth(before: readonly Counts[], after: readonly Counts[], ...names: readonly string[]): number {
  const grown = after.flatMap((counts, node) => names.map((name) => (counts[name] ?? 0) - (before[node]?.[name] ?? counts[name] ?? 0)));
  return grown.reduce((sum, each) => sum + Math.max(0, each), 0);
}
