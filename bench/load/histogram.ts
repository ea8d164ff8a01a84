// A histogram of durations with buckets that are 1 % wide. Its memory does not depend on the number of values.

const growth = 1.01;
/** Longer durations count as this. */
const maxMs = 60_000;
/** The first bucket holds all shorter durations. */
const minMs = 0.001;
const bucketOf = (ms: number) => (ms <= minMs ? 0 : Math.ceil(Math.log(Math.min(ms, maxMs) / minMs) / Math.log(growth)));

export class Histogram {
  readonly #buckets = new Uint32Array(bucketOf(maxMs) + 1);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    const bucket = bucketOf(ms);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
    this.#count += 1;
  }

  /** The duration in milliseconds that this share of all values does not exceed. 0.5 is the median. NaN if nothing was added. */
  percentile(share: number): number {
    let left = Math.ceil(share * this.#count);
    if (left === 0) return Number.NaN;
    const bucket = this.#buckets.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return minMs * growth ** bucket;
  }
}
