// Tells accounts that their totals changed, a few at a time: the totals of a viewer with 1,000 rooms take the database 10 ms.

import type { Account } from './account.ts';

/** How often some accounts are told. */
export const totalsMs = 200;
/** Maximum number of accounts that are told at once: 25 in a second. */
const maxTogether = 5;
/** An account is told at most once in this time. */
const pauseMs = 1000;

export class AccountTotals {
  /** The accounts whose totals may have changed, the longest waiting first. */
  readonly #waiting = new Set<Account>();
  readonly #toldAtMs = new WeakMap<Account, number>();

  /** The account was told of something that may change its totals. */
  want(account: Account): void {
    if (account.wantsTotals) this.#waiting.add(account);
  }

  /** The accounts that are told now. */
  take(nowMs: number): readonly Account[] {
    const taken: Account[] = [];
    for (const account of this.#waiting) {
      if (taken.length === maxTogether) break;
      if (!account.ended && nowMs - (this.#toldAtMs.get(account) ?? Number.NEGATIVE_INFINITY) < pauseMs) continue;
      this.#waiting.delete(account);
      if (account.ended) continue;
      this.#toldAtMs.set(account, nowMs);
      taken.push(account);
    }
    return taken;
  }
}
