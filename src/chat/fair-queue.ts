// A queue that serves its users in turn. The items of one user stay in order, and a user with many items delays another user
// by one item for each turn.

export class FairQueue<Item> {
  /** The waiting items of each user. The user who is served next comes first. */
  readonly #byUser = new Map<string, Item[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Number of users with waiting items. */
  get users(): number {
    return this.#byUser.size;
  }

  sizeOf(userId: string): number {
    return this.#byUser.get(userId)?.length ?? 0;
  }

  add(userId: string, item: Item): void {
    const items = this.#byUser.get(userId);
    if (items) items.push(item);
    else this.#byUser.set(userId, [item]);
    this.#size += 1;
  }

  /** Removes items in the order in which they are served, up to the first one that `take` does not accept. */
  takeWhile(take: (item: Item) => boolean): void {
    // A user who is set again during the iteration is visited again, after the others.
    for (const [userId, items] of this.#byUser) {
      if (!take(items[0] as Item)) return;
      items.shift();
      this.#size -= 1;
      this.#byUser.delete(userId);
      if (items.length > 0) this.#byUser.set(userId, items);
    }
  }
}
