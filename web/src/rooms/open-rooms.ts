// The OPEN rooms that the viewer is not a member of. No stream tells of them, so they are asked for again while the page is seen.

import type { Api } from '../api.ts';
import { OtherRoomsDocument, type OtherRoomsQuery } from '../gql/graphql.ts';
import type { People } from '../people.ts';
import { Store } from '../store.ts';

export type OpenRoomPreview = NonNullable<OtherRoomsQuery['rooms']>['edges'][number]['node'];

const refreshMs = 10_000;
const debounceMs = 250;
const firstShown = 20;
/** Maximum page size of the server. */
const maxShown = 100;

export interface OpenRoomsState {
  readonly rooms: readonly OpenRoomPreview[];
  readonly hasMore: boolean;
  /** There are more rooms than fit on a page. A search finds them. */
  readonly incomplete: boolean;
  /** The search text of these rooms. Undefined before the first answer. */
  readonly search: string | undefined;
  readonly failing: boolean;
}

export class OpenRooms {
  readonly state = new Store<OpenRoomsState>({ rooms: [], hasMore: false, incomplete: false, search: undefined, failing: false });
  readonly #api: Api;
  readonly #people: People;
  readonly #stop = new AbortController();
  #search = '';
  #count = firstShown;
  #asked = 0;
  #shown = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, people: People) {
    this.#api = api;
    this.#people = people;
    const { signal } = this.#stop;
    document.addEventListener('visibilitychange', () => this.refresh(), { signal });
    window.addEventListener('online', () => this.refresh(), { signal });
    void this.#ask();
  }

  refresh(): void {
    this.#in(0);
  }

  search(text: string): void {
    this.#search = text;
    this.#count = firstShown;
    this.#in(debounceMs);
  }

  showMore(): void {
    this.#count = maxShown;
    this.refresh();
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  #in(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stop.signal.aborted || document.visibilityState === 'hidden') return;
    this.#timer = setTimeout(() => void this.#ask(), ms);
  }

  async #ask(): Promise<void> {
    this.#asked += 1;
    const number = this.#asked;
    const search = this.#search;
    const count = this.#count;
    this.#in(refreshMs);
    try {
      const { rooms } = await this.#api.query(OtherRoomsDocument, { first: count, nameContains: search || null });
      if (!rooms) throw new Error('The server answered without rooms.');
      // An older answer may arrive after a newer one.
      if (number < this.#shown || this.#stop.signal.aborted) return;
      this.#shown = number;
      const shown = rooms.edges.map(({ node }) => node);
      const { hasNextPage } = rooms.pageInfo;
      const hasMore = hasNextPage && count < maxShown;
      this.state.set({ rooms: shown, search, hasMore, incomplete: hasNextPage && !hasMore, failing: false });
      this.#people.meet(shown.map(({ lastMessage }) => lastMessage?.sender));
    } catch {
      if (number >= this.#shown) this.state.set({ ...this.state.value, failing: true });
    }
  }
}
