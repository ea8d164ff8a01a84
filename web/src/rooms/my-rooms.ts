// The rooms that the viewer is a member of: all pages of them, and every event of the viewer's stream since the first page.

import { stringifyDocument } from '@urql/core';
import {
  addViewerPage,
  applyViewerEvent,
  applyViewerStatus,
  errorCode,
  openViewerList,
  type Status,
  type ViewerEventLike,
  type ViewerList,
} from 'gapless/client';
import type { Api } from '../api.ts';
import {
  type ListedRoomFragment,
  MyRoomDocument,
  MyRoomsDocument,
  type OwnMembershipFragment,
  type RoomRemovalReason,
  ViewerEventsDocument,
  type ViewerEventsSubscription,
} from '../gql/graphql.ts';
import { pause, untilAnswered } from '../retry.ts';
import { Store } from '../store.ts';

export type MyRoomList = ViewerList<ListedRoomFragment>;

/** A room that is in the list no more. */
export interface Departure {
  readonly room: ListedRoomFragment;
  readonly reason: RoomRemovalReason;
}

export interface MyRoomsHandlers {
  /** Called after an event was applied, while nothing is missing. */
  changed(before: MyRoomList, now: MyRoomList): void;
  departed(departure: Departure): void;
}

const reopenAfterMs = 1000;

export class MyRooms {
  /** Undefined until the first page is loaded. */
  readonly list = new Store<MyRoomList | undefined>(undefined);
  readonly failing = new Store(false);
  readonly #api: Api;
  readonly #viewerId: string;
  readonly #handlers: MyRoomsHandlers;
  readonly #closed = new AbortController();
  #stop = new AbortController();
  #status: Status = 'connecting';
  readonly #loading = new Set<string>();

  constructor(api: Api, viewerId: string, handlers: MyRoomsHandlers) {
    this.#api = api;
    this.#viewerId = viewerId;
    this.#handlers = handlers;
    void this.#open();
  }

  find(roomId: string): ListedRoomFragment | undefined {
    return this.list.value?.rooms.find(({ id }) => id === roomId);
  }

  /** Applies the answer to a mutation, which may arrive before the event. */
  applyMembership(roomId: string, membership: OwnMembershipFragment): void {
    this.#apply({ __typename: 'ViewerMembershipChanged', roomId, membership });
  }

  close(): void {
    this.#closed.abort();
    this.#stop.abort();
  }

  /** Loads the list, and follows it. Starts anew if it cannot be followed. */
  async #open(): Promise<void> {
    this.#stop.abort();
    this.#stop = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, this.#closed.signal]);
    try {
      const first = await this.#page(null, signal);
      this.list.set(openViewerList({ viewerId: this.#viewerId, ...first }));
      this.#watch(first.syncCursor, signal);
      for (let { after } = first; after !== undefined; ) {
        const next = await this.#page(after, signal);
        if (this.list.value) this.list.set(addViewerPage(this.list.value, next));
        after = next.after;
      }
      this.#loadMissing();
    } catch {
      // UNAUTHENTICATED was reported. The list was closed, or is opened anew.
    }
  }

  async #page(after: string | null, signal: AbortSignal) {
    const onFailure = () => this.failing.set(true);
    const { viewer, rooms } = await untilAnswered(() => this.#api.query(MyRoomsDocument, { after }), { signal, onFailure });
    if (!viewer || !rooms) throw new Error('The server answered without rooms.');
    this.failing.set(false);
    const { hasNextPage, endCursor } = rooms.pageInfo;
    return {
      rooms: rooms.edges.map(({ node }) => node),
      syncCursor: rooms.syncCursor,
      unread: viewer.unread,
      hasNextPage,
      after: hasNextPage ? (endCursor ?? undefined) : undefined,
    };
  }

  #watch(after: string, signal: AbortSignal): void {
    const payload = { query: stringifyDocument(ViewerEventsDocument), variables: { after } };
    const reopen = async () => {
      await pause(Math.random() * reopenAfterMs, signal);
      if (!signal.aborted) void this.#open();
    };
    const unsubscribe = this.#api.streams.subscribe(payload, {
      next: ({ data }: { data?: ViewerEventsSubscription }) => data && this.#receive(data.viewerEvents),
      status: (status) => {
        this.#status = status;
        if (this.list.value) this.list.set(applyViewerStatus(this.list.value, status));
      },
      error: (error) => {
        this.#api.reportRefusal(error);
        if (errorCode(error) !== 'UNAUTHENTICATED') void reopen();
      },
      complete: () => void reopen(),
    });
    signal.addEventListener('abort', unsubscribe);
  }

  #receive(event: ViewerEventsSubscription['viewerEvents']): void {
    const { value: before } = this.list;
    if (!before) return;
    const now = applyViewerEvent<ListedRoomFragment>(before, event);
    this.list.set(now);
    if (this.#status === 'live') this.#handlers.changed(before, now);
    if (event.__typename === 'ViewerRoomRemoved') {
      const room = before.rooms.find(({ id }) => id === event.roomId);
      if (room) this.#handlers.departed({ room, reason: event.removalReason });
    }
    if (!now.state.elsewhere) this.#loadMissing();
  }

  #apply(event: Omit<ViewerEventLike<ListedRoomFragment>, 'cursor' | 'at'>): void {
    const { value: list } = this.list;
    if (list) this.list.set(applyViewerEvent(list, { ...event, cursor: list.cursor, at: new Date(list.state.atMs ?? 0).toISOString() }));
  }

  /** Loads rooms that moved ahead of the pages while these were loading. */
  #loadMissing(): void {
    for (const id of this.list.value?.missing ?? []) {
      if (this.#loading.has(id)) continue;
      this.#loading.add(id);
      untilAnswered(() => this.#api.query(MyRoomDocument, { id }), { signal: this.#closed.signal })
        .then(({ room }) =>
          this.#apply(room ? { __typename: 'ViewerRoomAdded', roomId: id, room } : { __typename: 'ViewerRoomRemoved', roomId: id }),
        )
        .catch(() => {})
        .finally(() => this.#loading.delete(id));
    }
  }
}
