// The targets of Gapless. Most are ratios, because machines differ.

import type { Results } from './results.ts';

export interface Target {
  readonly title: string;
  /** Id of a scenario's figure. */
  readonly figure: string;
  readonly of: string;
  /** The contender whose figure it is divided by. Undefined if the target is absolute. */
  readonly by?: string;
  readonly bound: 'at least' | 'at most';
  readonly required: number;
  readonly goal: number;
  readonly unit?: string;
}

export interface Verdict {
  readonly target: Target;
  /** Undefined if it was not measured. */
  readonly reached: number | undefined;
  readonly holds: boolean;
}

const atLeast = (required: number, goal: number) => ({ bound: 'at least', required, goal }) as const;
const atMost = (required: number, goal: number) => ({ bound: 'at most', required, goal }) as const;
const own = { of: 'gapless' };
const single = 'gapless-single';

const transports = { http: 'HTTP', webSocket: 'WebSocket' };
const roomCounts = { oneRoom: 'one room', manyRooms: '1,000 rooms' };
const sendsAgainstYoga = Object.entries(roomCounts).flatMap(([rooms, inRooms]) =>
  Object.entries(transports).map(
    ([transport, over]): Target => ({
      title: `durable sends into ${inRooms} over ${over}, against Yoga`,
      figure: `sends.${rooms}.${transport}`,
      ...own,
      by: 'yoga',
      ...atLeast(1, 2),
    }),
  ),
);
const pages = { first: 'first page', after: 'page after the middle', before: 'page before the middle' };
const pagesAgainstSmallRoom = Object.entries(pages).map(
  ([page, title]): Target => ({
    title: `p50 of a history page at 1 million, against 10 thousand: ${title}`,
    figure: `history.${page}.p50`,
    of: '1,000,000',
    by: '10,000',
    ...atMost(1.2, 1),
  }),
);

export const targets: readonly Target[] = [
  { title: 'deliveries a second, saturated, against Yoga', figure: 'saturated.rate', ...own, by: 'yoga', ...atLeast(12, 25) },
  { title: 'deliveries a second, saturated, against the bare ws loop', figure: 'saturated.rate', ...own, by: 'ws', ...atLeast(3, 6) },
  {
    title: 'CPU per delivery at 20 messages a second, against the bare ws loop',
    figure: 'paced.cpu',
    ...own,
    by: 'ws',
    ...atMost(1.25, 0.85),
  },
  { title: 'p99 at 20 messages a second, against the bare ws loop', figure: 'paced.p99', ...own, by: 'ws', ...atMost(1.5, 1) },
  {
    title: 'durable sends into one room in the write path, against one transaction per send',
    figure: 'sends.writePath',
    ...own,
    by: single,
    ...atLeast(5, 10),
  },
  {
    title: 'durable sends into one room over HTTP, against one transaction per send',
    figure: 'sends.oneRoom.http',
    ...own,
    by: single,
    ...atLeast(2, 4),
  },
  ...sendsAgainstYoga,
  { title: 'memory per idle subscriber', figure: 'idle.memory', ...own, ...atMost(14, 10), unit: 'KB' },
  { title: 'CPU to connect and subscribe, against Yoga', figure: 'idle.cpu', ...own, by: 'yoga', ...atMost(1, 0.7) },
  { title: 'log reads when 2,000 clients resume in one room', figure: 'resume.reads', ...own, ...atMost(20, 3) },
  ...pagesAgainstSmallRoom,
];

/** Judges the targets that concern these figures, except for comparisons with `excluded` contenders. */
export function judge(results: Results, figures: ReadonlySet<string>, excluded: ReadonlySet<string> = new Set()): Verdict[] {
  return targets
    .filter(({ figure, of, by }) => figures.has(figure) && !excluded.has(of) && !(by !== undefined && excluded.has(by)))
    .map((target) => {
      const reached = reachedOf(results, target);
      return {
        target,
        reached,
        holds: reached !== undefined && (target.bound === 'at least' ? reached >= target.required : reached <= target.required),
      };
    });
}

function reachedOf(results: Results, { figure, of, by }: Target): number | undefined {
  const value = results.median(figure, of);
  if (by === undefined || value === undefined) return value;
  const divisor = results.median(figure, by);
  return divisor === undefined ? undefined : value / divisor;
}
