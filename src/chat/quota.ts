// Limits the changes that each user has under way on this node, in all lanes together.

/** Maximum number of changes of one user that are waiting or running. */
export const maxUnderWay = 200;

export class Quota {
  readonly #underWay = new Map<string, number>();

  /** Counts a change of the user as under way. False if the user has too many. */
  take(userId: string): boolean {
    const count = this.#underWay.get(userId) ?? 0;
    if (count >= maxUnderWay) return false;
    this.#underWay.set(userId, count + 1);
    return true;
  }

  /** Counts a change of the user as ended. */
  free(userId: string): void {
    const count = this.#underWay.get(userId) ?? 0;
    if (count > 1) this.#underWay.set(userId, count - 1);
    else this.#underWay.delete(userId);
  }
}
