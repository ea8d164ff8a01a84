// When each fault was injected, the deadline of each message in spite of the faults, and the worst delays.

import type { FaultEvent } from '../history.ts';

export interface Bounds {
  /** From the acknowledgement of a message, or from the opening of the stream that delivers it, to its delivery. */
  readonly delayMs: number;
  /** How long a fault may have effects after it is healed. */
  readonly healedMs: number;
}

/** Totals of one kind of fault. */
export interface FaultTotals {
  times: number;
  /** Of a message that was being delivered during the fault. */
  worstDelayMs: number;
  /** From `healed` to `recovered`. */
  worstRecoveryMs: number;
  /** Cases of any verdict that appeared during the fault. */
  findings: number;
}

/** One injection of a fault. */
interface Injection {
  readonly fault: string;
  readonly totals: FaultTotals;
  readonly from: number;
  readonly maxDelayMs: number | undefined;
  healedAt: number;
  /** Until when it may have effects. */
  until: number;
  /** When everything had recovered. */
  recoveredAt: number;
}

/** A time in which a watcher had no stream. */
export interface Absence {
  readonly from: number;
  readonly until: number;
}

export class Timeline {
  readonly totals: Record<string, FaultTotals> = {};
  worstDelayMs = 0;
  readonly #bounds: Bounds;
  readonly #injections: Injection[] = [];
  #start: number | undefined;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  begin(at: number): void {
    this.#start ??= at;
  }

  apply(line: Exclude<FaultEvent, { type: 'crash' }>): void {
    const { at, fault } = line;
    if (line.type === 'fault') {
      this.totals[fault] ??= { times: 0, worstDelayMs: 0, worstRecoveryMs: 0, findings: 0 };
      const totals = this.totals[fault];
      totals.times += 1;
      this.#injections.push({
        fault,
        totals,
        from: at,
        maxDelayMs: line.maxDelayMs,
        healedAt: Infinity,
        until: Infinity,
        recoveredAt: Infinity,
      });
      return;
    }
    const injection = this.#injections.findLast((each) => each.fault === fault);
    if (!injection) throw new Error(`The history is broken: ${fault} was ${line.type} before it began.`);
    if (line.type === 'healed') {
      injection.healedAt = at;
      injection.until = at + this.#bounds.healedMs;
    } else {
      injection.recoveredAt = at;
      injection.totals.worstRecoveryMs = Math.max(injection.totals.worstRecoveryMs, at - injection.healedAt);
    }
  }

  /** Records that a message took from `from` to `at`. Returns whether that is late for a watcher with these `absences`. */
  isLate(from: number, at: number, absences: readonly Absence[]): boolean {
    const delayMs = at - from;
    if (delayMs > this.worstDelayMs) this.worstDelayMs = delayMs;
    for (const { from: began, recoveredAt, totals } of this.#injections) {
      if (delayMs > totals.worstDelayMs && began <= at && recoveredAt > from) totals.worstDelayMs = delayMs;
    }
    return delayMs > this.#bounds.delayMs && at > this.#deadline(from, absences);
  }

  /** The faults at this time, which `count` findings are attributed to. */
  attribute(at: number, count: number): string[] {
    const active = this.#injections.filter(({ from, until }) => from <= at && at < until);
    for (const { totals } of active) totals.findings += count;
    return active.map(({ fault }) => fault);
  }

  /** The time in seconds since the start of the run. */
  formatTime(at: number): string {
    return `${((at - (this.#start ?? 0)) / 1000).toFixed(3)} s`;
  }

  /**
   * The time by which a message had to be delivered. A fault or absence may extend the deadline into the next one, which
   * extends it again. This is repeated until the deadline no longer changes.
   */
  #deadline(from: number, absences: readonly Absence[]): number {
    let begin = from;
    let boundMs = this.#bounds.delayMs;
    let deadline = begin + boundMs;
    for (let before = -Infinity; before < deadline; ) {
      before = deadline;
      let excused = deadline;
      for (const absence of absences) if (absence.from <= deadline && absence.until > begin) begin = absence.until;
      for (const { from: began, until, maxDelayMs } of this.#injections) {
        if (began > deadline || until <= from) continue;
        if (maxDelayMs === undefined) excused = Math.max(excused, until);
        else boundMs = Math.max(boundMs, maxDelayMs);
      }
      deadline = Math.max(excused, begin + boundMs);
    }
    return deadline;
  }
}
