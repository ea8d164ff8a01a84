// The people whom this page has seen. The API has no search for users, so people to add to a room are picked from these.

import type { PersonFragment } from './gql/graphql.ts';
import { local } from './storage.ts';
import { Store } from './store.ts';

/** Maximum number of people kept. The least recently met are dropped. */
const maxKept = 300;

export class People {
  readonly known: Store<ReadonlyMap<string, PersonFragment>>;
  readonly #key: string;

  constructor(viewerId: string) {
    this.#key = `gapless.people.${viewerId}`;
    this.known = new Store(new Map(read(this.#key).map((person) => [person.id, person])));
  }

  meet(people: Iterable<PersonFragment | null | undefined>): void {
    const { value } = this.known;
    const fresh = [...people].filter((person) => person != null && value.get(person.id)?.name !== person.name) as PersonFragment[];
    if (fresh.length === 0) return;
    const all = new Map(value);
    for (const { id, name } of fresh) {
      all.delete(id);
      all.set(id, { id, name });
    }
    local.set(this.#key, JSON.stringify([...all.values()].slice(-maxKept)));
    this.known.set(all);
  }

  forget(): void {
    local.remove(this.#key);
  }
}

function read(key: string): PersonFragment[] {
  try {
    return JSON.parse(local.get(key) ?? '[]');
  } catch {
    return [];
  }
}
