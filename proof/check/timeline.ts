// When each fault struck, by when a message had to be delivered in spite of it, and the worst delays.

import type { Happening } from '../history.ts';

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

/** One time that a fault struck. */
interface Strike {
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
export interface Away {
  readonly from: number;
  readonly until: number;
}

export class Timeline {
  readonly totals: Record<string, FaultTotals> = {};
  worstDelayMs = 0;
  readonly #bounds: Bounds;
  readonly #strikes: Strike[] = [];
  #start: number | undefined;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  begin(at: number): void {
    this.#start ??= at;
  }

  happen(line: Exclude<Happening, { type: 'crash' }>): void {
    const { at, fault } = line;
    if (line.type === 'fault') {
      this.totals[fault] ??= { times: 0, worstDelayMs: 0, worstRecoveryMs: 0, findings: 0 };
      const totals = this.totals[fault];
      totals.times += 1;
      this.#strikes.push({
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
    const strike = this.#strikes.findLast((each) => each.fault === fault);
    if (!strike) throw new Error(`The history is broken: ${fault} was ${line.type} before it struck.`);
    if (line.type === 'healed') {
      strike.healedAt = at;
      strike.until = at + this.#bounds.healedMs;
    } else {
      strike.recoveredAt = at;
      strike.totals.worstRecoveryMs = Math.max(strike.totals.worstRecoveryMs, at - strike.healedAt);
    }
  }

  /** Records that a message took from `from` to `at`. Returns whether that is late for a watcher with these `aways`. */
  isLate(from: number, at: number, aways: readonly Away[]): boolean {
    const delayMs = at - from;
    if (delayMs > this.worstDelayMs) this.worstDelayMs = delayMs;
    for (const { from: struck, recoveredAt, totals } of this.#strikes) {
      if (delayMs > totals.worstDelayMs && struck <= at && recoveredAt > from) totals.worstDelayMs = delayMs;
    }
    return delayMs > this.#bounds.delayMs && at > this.#deadline(from, aways);
  }

  /** The faults at this time, which `count` findings are attributed to. */
  blame(at: number, count: number): string[] {
    const felt = this.#strikes.filter(({ from, until }) => from <= at && at < until);
    for (const { totals } of felt) totals.findings += count;
    return felt.map(({ fault }) => fault);
  }

  /** The time in seconds since the start of the run. */
  tell(at: number): string {
    return `${((at - (this.#start ?? 0)) / 1000).toFixed(3)} s`;
  }

  /**
   * By when a message had to be delivered. An excuse may extend the deadline into the next fault or absence, which extends
   * it again: it is extended until nothing changes it.
   */
  #deadline(from: number, aways: readonly Away[]): number {
    let begin = from;
    let boundMs = this.#bounds.delayMs;
    let deadline = begin + boundMs;
    for (let before = -Infinity; before < deadline; ) {
      before = deadline;
      let excused = deadline;
      for (const away of aways) if (away.from <= deadline && away.until > begin) begin = away.until;
      for (const { from: struck, until, maxDelayMs } of this.#strikes) {
        if (struck > deadline || until <= from) continue;
        if (maxDelayMs === undefined) excused = Math.max(excused, until);
        else boundMs = Math.max(boundMs, maxDelayMs);
      }
      deadline = Math.max(excused, begin + boundMs);
    }
    return deadline;
  }
}
