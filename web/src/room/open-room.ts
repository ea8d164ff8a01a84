// One open room: a page of it, and every event after the cursor of that page, applied to the page.

import { stringifyDocument } from '@urql/core';
import { applyRoomEvent, errorCode } from 'gapless/client';
import {
  type MemberFragment,
  MembersDocument,
  OlderMessagesDocument,
  OpenRoomDocument,
  RoomEventsDocument,
  type RoomEventsSubscription,
  type ShownMessageFragment,
} from '../gql/graphql.ts';
import { pause, untilAnswered } from '../retry.ts';
import type { SignedIn } from '../session/signed-in.ts';
import { Store } from '../store.ts';
import { membershipAfter, type Opened, type RoomState, type View } from './room-state.ts';

/** Events that arrive within this time are rendered together. */
const renderEveryMs = 16;
const reopenAfterMs = 1000;
const olderPage = 50;
/** Maximum page size of the server. */
const maxPage = 100;

export class OpenRoom {
  readonly state = new Store<RoomState>({ at: 'opening', failing: false });
  readonly #chat: SignedIn;
  readonly #id: string;
  #stop = new AbortController();
  #openings = 0;
  /** The newest state. `state` follows at the next render. */
  #latest: Opened | undefined;
  #renderTimer: ReturnType<typeof setTimeout> | undefined;
  #loadingOlder: Promise<void> | undefined;
  /** Messages that changed while an older page is loading. The page may hold them as they were before. */
  #changed: Map<string, ShownMessageFragment> | undefined;
  /** The number up to which retention removed messages. */
  #trimmedThrough = 0;
  /** Users who left while more members are loading. The page may still hold them. */
  #left: Set<string> | undefined;
  /** Cursor before which the next older page ends. */
  #before = '';

  constructor(chat: SignedIn, id: string) {
    this.#chat = chat;
    this.#id = id;
  }

  /** Opens the room, or reloads it. */
  open(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#changed = undefined;
    const { signal } = this.#stop;
    this.#load(signal).catch((error: unknown) => {
      if (!signal.aborted && errorCode(error) !== 'UNAUTHENTICATED') this.#leave('unseen');
    });
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#renderTimer);
    this.#renderTimer = undefined;
  }

  /** Loads older messages until all after this number are there. */
  async loadAfter(number: number): Promise<void> {
    const first = () => this.#latest?.view.messages[0]?.number ?? 0;
    for (let before = Infinity; first() > number + 1 && first() < before; ) {
      before = first();
      await this.loadOlder(maxPage);
    }
  }

  loadOlder(count = olderPage): Promise<void> {
    this.#loadingOlder ??= this.#loadOlder(count).finally(() => {
      this.#loadingOlder = undefined;
    });
    return this.#loadingOlder;
  }

  /** Throws if the request fails. */
  async loadMoreMembers(): Promise<void> {
    const opening = this.#openings;
    const left = new Set<string>();
    this.#left = left;
    const { room } = await this.#chat.api.query(MembersDocument, { id: this.#id, after: this.#latest?.moreMembersAfter ?? null });
    const now = this.#latest;
    if (!room || !now || opening !== this.#openings) return;
    const known = new Set(now.view.members.map(({ user }) => user.id));
    const page = room.members.edges.map(({ node }) => node).filter(({ user }) => !known.has(user.id) && !left.has(user.id));
    const { endCursor, hasNextPage } = room.members.pageInfo;
    this.#chat.people.meet(page.map(({ user }) => user));
    const members = [...now.view.members, ...page].sort((a, b) => (a.joinedAt < b.joinedAt ? -1 : a.joinedAt > b.joinedAt ? 1 : 0));
    this.#set({ view: { ...now.view, members }, moreMembersAfter: hasNextPage && endCursor ? endCursor : undefined });
  }

  /** Applies the answer to `joinRoom`, which may arrive before the event. */
  joined(membership: MemberFragment): void {
    this.#set({ membership });
  }

  async #load(signal: AbortSignal): Promise<void> {
    const { room } = await untilAnswered(() => this.#chat.api.query(OpenRoomDocument, { id: this.#id }), {
      signal,
      onFailure: () => {
        if (this.state.value.at === 'opening') this.state.set({ at: 'opening', failing: true });
      },
    });
    if (!room) return this.#leave('unseen');
    const { viewerMembership, members, messages, ...head } = room;
    const view: View = {
      room: head,
      deleted: false,
      messages: messages.edges.map(({ node }) => node),
      members: members.edges.map(({ node }) => node),
      cursor: messages.syncCursor,
    };
    this.#meet(view.messages);
    this.#chat.people.meet([head.peer, ...view.members.map(({ user }) => user)]);
    this.#openings += 1;
    this.#before = messages.pageInfo.startCursor ?? '';
    this.#latest = {
      at: 'open',
      view,
      membership: viewerMembership ?? undefined,
      status: 'connecting',
      wasLive: this.#latest?.wasLive ?? false,
      older: messages.pageInfo.hasPreviousPage ? 'more' : 'none',
      moreMembersAfter: members.pageInfo.hasNextPage ? (members.pageInfo.endCursor ?? undefined) : undefined,
      opening: this.#openings,
      unread: unreadOf(viewerMembership),
    };
    this.#render();
    this.#watch(messages.syncCursor, signal);
  }

  async #loadOlder(count: number): Promise<void> {
    const [first] = this.#latest?.view.messages ?? [];
    if (!first || (this.#latest?.older !== 'more' && this.#latest?.older !== 'failing') || this.#changed) return;
    const { signal } = this.#stop;
    this.#changed = new Map();
    this.#set({ older: 'loading' });
    try {
      const before = this.#before;
      const { room } = await untilAnswered(() => this.#chat.api.query(OlderMessagesDocument, { id: this.#id, count, before }), {
        signal,
        onFailure: () => this.#set({ older: 'failing' }),
      });
      const now = this.#latest;
      if (!room || !now) return;
      const { edges, pageInfo } = room.messages;
      const [shown] = now.view.messages;
      const page = edges
        .map(({ node }) => this.#changed?.get(node.id) ?? node)
        .filter(({ number }) => number > this.#trimmedThrough && number < (shown?.number ?? Infinity));
      this.#before = pageInfo.startCursor ?? before;
      this.#meet(page);
      this.#set({
        view: { ...now.view, messages: [...page, ...now.view.messages] },
        older: pageInfo.hasPreviousPage ? 'more' : 'none',
      });
    } catch (error) {
      // Retention removed everything before the first message.
      if (!signal.aborted) this.#set({ older: errorCode(error) === 'CURSOR_EXPIRED' ? 'none' : 'more' });
    } finally {
      if (!signal.aborted) this.#changed = undefined;
    }
  }

  #watch(after: string, signal: AbortSignal): void {
    const payload = { query: stringifyDocument(RoomEventsDocument), variables: { roomId: this.#id, after } };
    const unsubscribe = this.#chat.api.streams.subscribe(payload, {
      next: ({ data }: { data?: RoomEventsSubscription }) => data && this.#apply(data.roomEvents),
      status: (status) => this.#set({ status, wasLive: status === 'live' || (this.#latest?.wasLive ?? false) }),
      error: (error) => {
        this.#chat.api.reportRefusal(error);
        const code = errorCode(error);
        if (code === 'NOT_FOUND' || code === 'FORBIDDEN') this.#leave('unseen');
        else if (code !== 'UNAUTHENTICATED') void this.#reopen(signal);
      },
      complete: () => {
        if (!this.#latest?.view.deleted) void this.#reopen(signal);
      },
    });
    signal.addEventListener('abort', unsubscribe);
  }

  #apply(event: RoomEventsSubscription['roomEvents']): void {
    const now = this.#latest;
    if (!now) return;
    const view: View = applyRoomEvent(now.view, event);
    if ('message' in event) {
      if (event.__typename !== 'MessageAdded') this.#changed?.set(event.message.id, event.message);
      this.#meet([event.message]);
    }
    if (event.__typename === 'HistoryTrimmed') this.#trimmedThrough = event.throughNumber;
    if (event.__typename === 'MemberLeft') this.#left?.add(event.userId);
    if (event.__typename === 'MemberJoined') this.#left?.delete(event.userId);
    if ('membership' in event) this.#chat.people.meet([event.membership?.user]);
    this.#set({ view, membership: membershipAfter(this.#chat.viewer.id, event, view, now.membership) });
    if (view.deleted) this.#leave('deleted');
  }

  /** Reloads the room after its stream ended without a reason. */
  async #reopen(signal: AbortSignal): Promise<void> {
    await pause(Math.random() * reopenAfterMs, signal);
    if (!signal.aborted) this.open();
  }

  #leave(why: 'deleted' | 'unseen'): void {
    this.close();
    this.#latest = undefined;
    this.state.set({ at: 'gone', why });
    this.#chat.rooms.refresh();
  }

  #meet(messages: readonly ShownMessageFragment[]): void {
    this.#chat.people.meet(messages.map(({ sender }) => sender));
  }

  #set(changes: Partial<Opened>): void {
    if (!this.#latest) return;
    this.#latest = { ...this.#latest, ...changes };
    this.#renderTimer ??= setTimeout(() => this.#render(), renderEveryMs);
  }

  #render(): void {
    clearTimeout(this.#renderTimer);
    this.#renderTimer = undefined;
    if (this.#latest) this.state.set(this.#latest);
  }
}

function unreadOf(membership: { readThrough: number | null; unreadCount: number | null } | null) {
  const { readThrough, unreadCount } = membership ?? {};
  return readThrough != null && unreadCount ? { after: readThrough, count: unreadCount } : undefined;
}
