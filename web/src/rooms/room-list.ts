// The rooms that the viewer may see, newest activity first. Polled every few seconds while the page is visible.

import type { Api } from '../api.ts';
import { type RoomPreviewFragment, RoomsDocument } from '../gql/graphql.ts';
import type { People } from '../people.ts';
import { Store } from '../store.ts';

const pollMs = 5_000;
const debounceMs = 250;
const firstOthers = 20;
/** Maximum page size of the server. */
const maxOthers = 100;

export interface RoomListState {
  readonly mine: readonly RoomPreviewFragment[];
  /** Open rooms that the viewer is not in. */
  readonly others: readonly RoomPreviewFragment[];
  readonly hasMoreOthers: boolean;
  /** There are more rooms than fit on a page. A search finds them. */
  readonly incomplete: boolean;
  /** The search text of these rooms. Undefined before the first answer. */
  readonly search: string | undefined;
  readonly failing: boolean;
}

export class RoomList {
  readonly state = new Store<RoomListState>({
    mine: [],
    others: [],
    hasMoreOthers: false,
    incomplete: false,
    search: undefined,
    failing: false,
  });
  readonly #api: Api;
  readonly #people: People;
  readonly #stop = new AbortController();
  #search = '';
  #others = firstOthers;
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
    this.#search = text.trim();
    this.#others = firstOthers;
    this.#in(debounceMs);
  }

  showMore(): void {
    this.#others = maxOthers;
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
    this.#in(pollMs);
    try {
      const { mine, others } = await this.#api.query(RoomsDocument, { others: this.#others, nameContains: search || null });
      if (!mine || !others) throw new Error('The server answered without rooms.');
      // An older answer may arrive after a newer one.
      if (number < this.#shown || this.#stop.signal.aborted) return;
      this.#shown = number;
      const rooms = { mine: mine.edges.map(({ node }) => node), others: others.edges.map(({ node }) => node) };
      const more = others.pageInfo.hasNextPage;
      const hasMoreOthers = more && this.#others < maxOthers;
      this.state.set({
        ...rooms,
        search,
        hasMoreOthers,
        incomplete: mine.pageInfo.hasNextPage || (more && !hasMoreOthers),
        failing: false,
      });
      this.#people.meet([...rooms.mine, ...rooms.others].flatMap(({ peer, lastMessage }) => [peer, lastMessage?.sender]));
    } catch {
      if (number >= this.#shown) this.state.set({ ...this.state.value, failing: true });
    }
  }
}
