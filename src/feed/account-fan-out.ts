// The operations that account streams share, while an account uses them.

import type { AccountEvent, ViewerRoomChanged } from './account-event.ts';
import type { Sharer } from './delivery.ts';

export class AccountFanOut implements Sharer<AccountEvent, ViewerRoomChanged> {
  readonly #operations = new Map<string, { readonly value: unknown; users: number }>();

  mayShare(event: AccountEvent): event is ViewerRoomChanged {
    return event.type === 'ViewerRoomChanged';
  }

  once<Value>(key: string, create: () => Value): Value {
    const known = this.#operations.get(key);
    if (known) return known.value as Value;
    const value = create();
    this.#operations.set(key, { value, users: 0 });
    return value;
  }

  /** Not kept here: a room keeps the results of its newest event. */
  share<Result>(_event: ViewerRoomChanged, _key: string, execute: () => Promise<Result>): Promise<Result> {
    return execute();
  }

  join(key: string): void {
    const operation = this.#operations.get(key);
    if (operation) operation.users += 1;
  }

  leave(key: string): void {
    const operation = this.#operations.get(key);
    if (!operation) return;
    operation.users -= 1;
    if (operation.users === 0) this.#operations.delete(key);
  }
}
