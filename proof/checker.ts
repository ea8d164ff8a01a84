// Judges a run: compares its history with the final state. A pure function.

import { RoomCheck } from './check/room-check.ts';
import { type Bounds, type FaultTotals, Timeline } from './check/timeline.ts';
import { type Finding, Findings, type Verdict, verdictNames } from './check/verdicts.ts';
import { WatcherCheck } from './check/watcher-check.ts';
import { WritersCheck } from './check/writers-check.ts';
import type { FinalRoom, Line } from './history.ts';

export interface Judgement {
  /** No verdict has a case. */
  readonly clean: boolean;
  readonly findings: Readonly<Record<Verdict, Finding>>;
  readonly totals: Totals;
}

export interface Totals {
  readonly attempts: number;
  /** Number of messages that were acknowledged, once or more often. */
  readonly acknowledged: number;
  /** Number of entries that were delivered to watchers and checked. CaughtUp does not count. */
  readonly deliveries: number;
  readonly watchers: number;
  readonly worstDelayMs: number;
  readonly faults: Readonly<Record<string, FaultTotals>>;
}

/** Throws if the history is impossible: then the run itself is broken, and says nothing about the servers. */
export function check(lines: Iterable<Line>, finalRooms: readonly FinalRoom[], bounds: Bounds): Judgement {
  const timeline = new Timeline(bounds);
  const findings = new Findings(timeline);
  const rooms = new Map(finalRooms.map((room) => [room.room, new RoomCheck(room)]));
  const writers = new WritersCheck(rooms, findings);
  const watchers = new Map<string, WatcherCheck>();
  /** By viewer, from when on nothing that is sent may be delivered. */
  const signedOut = new Map<string, number>();
  let deliveries = 0;
  const roomOf = (cursor: string) => rooms.values().find((room) => room.placeOf(cursor) !== undefined)?.id;
  const watcherOf = (name: string) => watchers.get(name) ?? broken(`watcher ${name} received something before it subscribed`);

  for (const line of lines) {
    timeline.begin(line.at);
    switch (line.type) {
      case 'event':
        if (line.event !== 'CaughtUp') deliveries += 1;
        watcherOf(line.watcher).event(line, roomOf);
        break;
      case 'open': {
        const room = rooms.get(line.room) ?? broken(`the final state of ${line.room} was not read`);
        const watcher = watchers.get(line.watcher) ?? new WatcherCheck(line, room, findings, timeline, signedOut);
        watchers.set(line.watcher, watcher);
        watcher.open(line);
        break;
      }
      case 'end':
        watcherOf(line.watcher).end(line);
        break;
      case 'stray':
        watcherOf(line.watcher).stray(line);
        break;
      case 'signedOut':
        signedOut.set(line.viewer, line.at + line.withinMs);
        break;
      case 'invoke':
      case 'ok':
      case 'fail':
        writers[line.type](line as never);
        break;
      case 'crash':
        findings.add('crashed', line.at, () => `Node ${line.node} ended: ${line.how}.`);
        break;
      case 'fault':
      case 'healed':
      case 'recovered':
        timeline.apply(line);
    }
  }
  for (const watcher of watchers.values()) watcher.finish();
  writers.finish();
  for (const room of rooms.values()) room.checkFinal(findings);
  return {
    clean: verdictNames.every((name) => findings.byVerdict[name].count === 0),
    findings: findings.byVerdict,
    totals: {
      attempts: writers.attempts,
      acknowledged: writers.acknowledged,
      deliveries,
      watchers: watchers.size,
      worstDelayMs: timeline.worstDelayMs,
      faults: timeline.totals,
    },
  };
}

function broken(what: string): never {
  throw new Error(`The history is broken: ${what}.`);
}
