// What Gapless must reach, and what it would like to: ratios, since machines differ.

import type { Results } from './results.ts';

export interface Must {
  readonly title: string;
  /** Of a scenario's figures. */
  readonly figure: string;
  readonly of: string;
  /** What it is divided by. Undefined: the figure itself is bound. */
  readonly by?: string;
  readonly bound: 'at least' | 'at most';
  readonly must: number;
  readonly aim: number;
  readonly unit?: string;
}

export interface Verdict {
  readonly must: Must;
  /** Undefined where it was not measured. */
  readonly reached: number | undefined;
  readonly holds: boolean;
}

const atLeast = (must: number, aim: number) => ({ bound: 'at least', must, aim }) as const;
const atMost = (must: number, aim: number) => ({ bound: 'at most', must, aim }) as const;
const own = { of: 'gapless' };
const single = 'gapless-single';

const doors = { http: 'HTTP', webSocket: 'WebSocket' };
const roomCounts = { oneRoom: 'one room', manyRooms: '1,000 rooms' };
const sendsAgainstYoga = Object.entries(roomCounts).flatMap(([rooms, inRooms]) =>
  Object.entries(doors).map(
    ([door, over]): Must => ({
      title: `durable sends into ${inRooms} over ${over}, against Yoga`,
      figure: `sends.${rooms}.${door}`,
      ...own,
      by: 'yoga',
      ...atLeast(1, 2),
    }),
  ),
);
const pages = { first: 'first page', after: 'page behind the middle', before: 'page in front of the middle' };
const pagesAgainstSmallRoom = Object.entries(pages).map(
  ([page, title]): Must => ({
    title: `p50 of a history page at 1 million, against 10 thousand: ${title}`,
    figure: `history.${page}.p50`,
    of: '1,000,000',
    by: '10,000',
    ...atMost(1.2, 1),
  }),
);

export const musts: readonly Must[] = [
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
    title: 'durable sends into one room in the write path, against one transaction a send',
    figure: 'sends.writePath',
    ...own,
    by: single,
    ...atLeast(5, 10),
  },
  {
    title: 'durable sends into one room through HTTP, against one transaction a send',
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

/** What was reached of those that these figures tell of, where nothing is compared that was `leftOut`. */
export function judge(results: Results, figures: ReadonlySet<string>, leftOut: ReadonlySet<string> = new Set()): Verdict[] {
  return musts
    .filter(({ figure, of, by }) => figures.has(figure) && !leftOut.has(of) && !(by !== undefined && leftOut.has(by)))
    .map((must) => {
      const reached = reachedOf(results, must);
      return { must, reached, holds: reached !== undefined && (must.bound === 'at least' ? reached >= must.must : reached <= must.must) };
    });
}

function reachedOf(results: Results, { figure, of, by }: Must): number | undefined {
  const value = results.median(figure, of);
  if (by === undefined || value === undefined) return value;
  const divisor = results.median(figure, by);
  return divisor === undefined ? undefined : value / divisor;
}
