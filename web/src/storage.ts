// Browser storage that never throws. If the browser blocks it or it is full, values are kept in memory until the page is closed.

class SafeStorage {
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
      return undefined;
    }
  }
}

/** Shared by all tabs. Kept until it is removed. */
export const local = new SafeStorage(() => localStorage);
/** Kept as long as the tab is open. */
export const tab = new SafeStorage(() => sessionStorage);
