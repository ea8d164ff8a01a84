// Waits between tries, with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): a
// crowd that lost its server does not come back in step.

export interface Backoff {
  /** The longest wait before the second try, in milliseconds. */
  readonly firstMs: number;
  /** The longest wait before any. */
  readonly maxMs: number;
}

export const defaultBackoff: Backoff = { firstMs: 500, maxMs: 15_000 };

/** How long to wait before try number `attempt` (from 0), and no less than what the server asks for. */
export const waitBefore = (attempt: number, { firstMs, maxMs }: Backoff, askedMs = 0): number =>
  askedMs + Math.random() * Math.min(firstMs * 2 ** attempt, maxMs);
