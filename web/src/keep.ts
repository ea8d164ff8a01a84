// What outlives a reload. Where the browser keeps nothing, it is remembered for as long as the page is open.

class Keep {
  readonly #storage: () => Storage;
  readonly #memory = new Map<string, string>();

  constructor(storage: () => Storage) {
    this.#storage = storage;
  }

  get(key: string): string | undefined {
    return this.#memory.get(key) ?? this.#attempt((storage) => storage.getItem(key)) ?? undefined;
  }

  set(key: string, value: string): void {
    this.#memory.delete(key);
    const kept = this.#attempt((storage) => {
      storage.setItem(key, value);
      return true;
    });
    if (!kept) this.#memory.set(key, value);
  }

  remove(key: string): void {
    this.#memory.delete(key);
    this.#attempt((storage) => storage.removeItem(key));
  }

  keys(prefix: string): string[] {
    const stored = this.#attempt((storage) => Object.keys(storage)) ?? [];
    return [...new Set([...stored, ...this.#memory.keys()])].filter((key) => key.startsWith(prefix));
  }

  #attempt<Answer>(task: (storage: Storage) => Answer): Answer | undefined {
    try {
      return task(this.#storage());
    } catch {
      // Storage is blocked, or full.
      return undefined;
    }
  }
}

/** Until it is removed, for every tab. */
export const local = new Keep(() => localStorage);
/** As long as the tab is open. */
export const tab = new Keep(() => sessionStorage);
