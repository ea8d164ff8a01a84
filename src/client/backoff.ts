// Waiting times between attempts, exponential with full jitter, so that clients that lost their server together do not
// come back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

export interface Backoff {
  /** Maximum wait before the second attempt, in milliseconds. It doubles with each attempt. */
  readonly firstMs: number;
  /** Maximum wait before any attempt, in milliseconds. */
  readonly maxMs: number;
}

const defaultBackoff: Backoff = { firstMs: 500, maxMs: 15_000 };

export const backoffOf = ({
  backoff: { firstMs = defaultBackoff.firstMs, maxMs = defaultBackoff.maxMs } = {},
}: BackoffOptions): Backoff => ({
  firstMs,
  maxMs,
});

interface BackoffOptions {
  readonly backoff?: Partial<Backoff> | undefined;
}

/** `setTimeout` fires at once if the delay does not fit into 31 bits. */
const maxTimerMs = 2 ** 31 - 1;

/** The wait before attempt number `attempt` (from 0), in milliseconds: at least `minMs`, which the server asked for. */
export const waitBefore = (attempt: number, { firstMs, maxMs }: Backoff, minMs = 0): number =>
  Math.min(Math.max(minMs, 0) + Math.random() * Math.min(firstMs * 2 ** attempt, maxMs), maxTimerMs);
