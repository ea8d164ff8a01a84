// Reproducible random numbers. The seed is printed, and GAPLESS_SEED sets it.

/** Numbers from 0 to 1. The same seed gives the same numbers (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Chooses and prints the seed of this run, so that a failure can be repeated. */
export function chooseSeed(what: string): number {
  const seed = Number(process.env['GAPLESS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${what}: GAPLESS_SEED=${seed}`);
  return seed;
}

export function shuffle<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** A random item. */
export const pick = <T>(items: readonly T[], random: () => number): T => items[Math.floor(random() * items.length)] as T;
