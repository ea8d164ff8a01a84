// The settings of the rate limits: one that multiplies all, and one for each limit, which is then used as it is.

import { type Allowance, type LimitValues, namesOf, openLimits, rateLimits, settingOf } from '../rate-limits.ts';

const secondsOf = { s: 1, m: 60, h: 3600 } as const;
/** Timers, and the counters in Redis, have room for a window of a day. */
const maxSeconds = 86_400;
const maxPoints = 1_000_000;

/** The names of the settings of single limits. */
export const rateLimitSettings: readonly string[] = [...namesOf(rateLimits), ...namesOf(openLimits)].map(settingOf);

/**
 * The limits, with `multiplier` applied to those without a setting of their own. Infinity: these do not apply. `problems` are
 * sentences about settings that cannot be used.
 */
export function readLimits(
  env: Readonly<Record<string, string | undefined>>,
  multiplier: number,
): { limits: LimitValues; problems: readonly string[] } {
  const problems: string[] = [];
  /** Reads a setting with `parse`, which returns undefined if it cannot be used. */
  const read = <Value>(setting: string, byDefault: Value | undefined, form: string, parse: (text: string) => Value | undefined) => {
    const text = env[setting];
    if (text === undefined) return byDefault;
    if (text === 'off') return undefined;
    const value = parse(text);
    if (value === undefined) problems.push(`${setting} must be off, or ${form}.`);
    return value;
  };
  const multiplied = (points: number) =>
    multiplier === Infinity ? undefined : Math.min(Math.max(1, Math.round(points * multiplier)), maxPoints);
  const rates = namesOf(rateLimits).map((name) => {
    const points = multiplied(rateLimits[name].points);
    const byDefault = points === undefined ? undefined : { points, seconds: rateLimits[name].seconds };
    return [name, read(settingOf(name), byDefault, 'a number and a time of at most a day, such as 60/10s, 100/m or 20/h', readAllowance)];
  });
  const open = namesOf(openLimits).map((name) => {
    return [name, read(settingOf(name), multiplied(openLimits[name].points), `a whole number from 1 to ${maxPoints}`, readPoints)];
  });
  return { limits: { rates: Object.fromEntries(rates), open: Object.fromEntries(open) }, problems };
}

function readAllowance(text: string): Allowance | undefined {
  const [, allowed = '', length, unit] = /^(\d+)\/(\d*)([smh])$/.exec(text) ?? [];
  const points = readPoints(allowed);
  const seconds = Number(length || 1) * secondsOf[unit as keyof typeof secondsOf];
  return points !== undefined && seconds >= 1 && seconds <= maxSeconds ? { points, seconds } : undefined;
}

function readPoints(text: string): number | undefined {
  const points = /^\d+$/.test(text) ? Number(text) : 0;
  return points >= 1 && points <= maxPoints ? points : undefined;
}
