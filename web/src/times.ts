// Formats times in a language.

import type { Language } from './words.ts';

const clocks = new Map<
  Language,
  Record<'time' | 'day' | 'weekday' | 'moment', Intl.DateTimeFormat> & { relative: Intl.RelativeTimeFormat }
>();

function clockOf(language: Language) {
  const known = clocks.get(language);
  if (known) return known;
  const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language, options);
  const clock = {
    time: format({ timeStyle: 'short' }),
    day: format({ month: 'short', day: 'numeric' }),
    weekday: format({ dateStyle: 'full' }),
    moment: format({ dateStyle: 'long', timeStyle: 'short' }),
    relative: new Intl.RelativeTimeFormat(language, { numeric: 'auto' }),
  };
  clocks.set(language, clock);
  return clock;
}

const midnightOf = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
const daysAgo = (date: Date) => Math.round((midnightOf(new Date()) - midnightOf(date)) / 86_400_000);

export const isSameDay = (a: string, b: string): boolean => midnightOf(new Date(a)) === midnightOf(new Date(b));

/** 14:05 */
export const timeOf = (at: string, language: Language): string => clockOf(language).time.format(new Date(at));

/** March 3, 2026 at 14:05 */
export const momentOf = (at: string, language: Language): string => clockOf(language).moment.format(new Date(at));

/** 14:05 for today, Mar 3 for earlier days. */
export function briefly(at: string, language: Language): string {
  const date = new Date(at);
  const { time, day } = clockOf(language);
  return (daysAgo(date) === 0 ? time : day).format(date);
}

/** Today, yesterday, or the whole date. */
export function dayOf(at: string, language: Language): string {
  const date = new Date(at);
  const { relative, weekday } = clockOf(language);
  const days = daysAgo(date);
  return days <= 1 && days >= 0 ? relative.format(-days, 'day') : weekday.format(date);
}

/** In 5 minutes. Rounded up. */
export function inTime(ms: number, language: Language): string {
  const seconds = Math.ceil(ms / 1000);
  const { relative } = clockOf(language);
  return seconds < 60 ? relative.format(seconds, 'second') : relative.format(Math.ceil(seconds / 60), 'minute');
}
