// Logs failures that may repeat thousands of times. Each distinct failure is logged at most once per minute.

import type { Log } from './log.ts';

const everyMs = 60_000;
/** Maximum number of distinct failures that are remembered. */
const maxRemembered = 100;

const logged = new WeakMap<Log, Map<string, number>>();

/** Logs the error, unless the same failure was logged with the same message less than a minute before `nowMs`. */
export function logOccasionally(log: Log, level: 'warn' | 'error', error: unknown, message: string, nowMs: number): void {
  const times = logged.get(log) ?? new Map<string, number>();
  logged.set(log, times);
  const failure = `${message} ${describe(error)}`;
  if (nowMs - (times.get(failure) ?? -Infinity) < everyMs) return;
  if (times.size >= maxRemembered) times.clear();
  times.set(failure, nowMs);
  log[level]({ error }, message);
}

/** Describes the failure. The same failure has the same description. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return `${error.name} ${code} ${error.message}`;
}
