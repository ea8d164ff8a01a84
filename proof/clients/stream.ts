// What the streams of all protocols share: when to subscribe again, and when not.

import { reasonOf } from './api.ts';
import type { NextStep, Watcher } from './watcher.ts';

export interface Stream {
  /** Pauses or resumes reading. */
  pause(paused: boolean): void;
  /** Drops the connection, with what was not read, and subscribes again on another one. */
  reconnect(): void;
  close(): void;
}

/** For a connection to be opened and acknowledged. */
export const openTimeoutMs = 5000;

const minRetryMs = 100;
const maxRetryMs = 1000;

/** With jitter, and not before the time that the server named. */
export const retryMs = (watcher: Watcher): number => watcher.retryAfterMs + minRetryMs + Math.random() * (maxRetryMs - minRetryMs);
export const retryWait = (watcher: Watcher): Promise<void> => new Promise((resolve) => setTimeout(resolve, retryMs(watcher)));

interface Sink {
  next(result: object): void;
  error(error: unknown): void;
  complete(): void;
}

/** Subscribes, and again after a passing refusal. Returns how to stop. */
export function subscribing(watcher: Watcher, subscribe: (sink: Sink) => () => void): () => void {
  let closed = false;
  let stop = () => {};
  const begin = () => {
    if (closed) return;
    let current = true;
    const follow = (step: NextStep) => {
      if (step === 'continue') return;
      current = false;
      stop();
      if (step === 'resubscribe') retryWait(watcher).then(begin, begin);
    };
    stop = subscribe({
      next: (result) => current && follow(watcher.take(result)),
      error: (error) => current && follow(Array.isArray(error) ? watcher.refused(error) : watcher.failed(describe(error))),
      complete: () => current && !closed && follow(watcher.completed()),
    });
  };
  begin();
  return () => {
    closed = true;
    stop();
  };
}

const describe = (error: unknown) =>
  error instanceof Error ? reasonOf(error) : `closed with ${(error as { code?: number }).code} ${(error as { reason?: string }).reason}`;
