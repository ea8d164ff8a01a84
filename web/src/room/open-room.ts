// One open room: a page of it, and from the position of that page on every event, folded into what is shown.

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
import { type Opened, ownPlace, type RoomState, type View } from './room-state.ts';

/** Events that come together are drawn together. */
const drawEveryMs = 16;
const reopenAfterMs = 1000;

export class OpenRoom {
  readonly state = new Store<RoomState>({ at: 'opening', failing: false });
  readonly #chat: SignedIn;
  readonly #id: string;
  #stop = new AbortController();
  #openings = 0;
  /** Ahead of the state until the next drawing. */
  #now: Opened | undefined;
  #drawing: ReturnType<typeof setTimeout> | undefined;
  /** Messages that changed while an older page is on its way, which may show them as they were. */
  #changed: Map<string, ShownMessageFragment> | undefined;
  /** In front of which the next older page ends. */
  #before = '';

  constructor(chat: SignedIn, id: string) {
    this.#chat = chat;
    this.#id = id;
  }

  /** Opens it, or opens it anew. */
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
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
  }

  async loadOlder(): Promise<void> {
    const [first] = this.#now?.view.messages ?? [];
    if (!first || (this.#now?.older !== 'more' && this.#now?.older !== 'failing') || this.#changed) return;
    const { signal } = this.#stop;
    this.#changed = new Map();
    this.#set({ older: 'loading' });
    try {
      const before = this.#before;
      const { room } = await untilAnswered(() => this.#chat.api.query(OlderMessagesDocument, { id: this.#id, before }), {
        signal,
        onFailure: () => this.#set({ older: 'failing' }),
      });
      const now = this.#now;
      if (!room || !now) return;
      const { edges, pageInfo } = room.messages;
      const [shown] = now.view.messages;
      const page = edges
        .map(({ node }) => this.#changed?.get(node.id) ?? node)
        .filter(({ number }) => number < (shown?.number ?? Infinity));
      this.#before = pageInfo.startCursor ?? before;
      this.#meet(page);
      this.#set({
        view: { ...now.view, messages: [...page, ...now.view.messages] },
        older: pageInfo.hasPreviousPage ? 'more' : 'none',
      });
    } catch (error) {
      // Retention took what lies in front: nothing is left there.
      if (!signal.aborted) this.#set({ older: errorCode(error) === 'CURSOR_EXPIRED' ? 'none' : 'more' });
    } finally {
      if (!signal.aborted) this.#changed = undefined;
    }
  }

  /** Throws what fails. */
  async loadMoreMembers(): Promise<void> {
    const { room } = await this.#chat.api.query(MembersDocument, { id: this.#id, after: this.#now?.moreMembersAfter ?? null });
    const now = this.#now;
    if (!room || !now) return;
    const known = new Set(now.view.members.map(({ user }) => user.id));
    const page = room.members.edges.map(({ node }) => node).filter(({ user }) => !known.has(user.id));
    const { endCursor, hasNextPage } = room.members.pageInfo;
    this.#chat.people.meet(page.map(({ user }) => user));
    const members = [...now.view.members, ...page].sort((a, b) => (a.joinedAt < b.joinedAt ? -1 : a.joinedAt > b.joinedAt ? 1 : 0));
    this.#set({ view: { ...now.view, members }, moreMembersAfter: hasNextPage && endCursor ? endCursor : undefined });
  }

  /** What an answer said before its event arrives. */
  joined(mine: MemberFragment): void {
    this.#set({ mine });
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
    this.#now = {
      at: 'open',
      view,
      mine: viewerMembership ?? undefined,
      status: 'connecting',
      wasLive: this.#now?.wasLive ?? false,
      older: messages.pageInfo.hasPreviousPage ? 'more' : 'none',
      moreMembersAfter: members.pageInfo.hasNextPage ? (members.pageInfo.endCursor ?? undefined) : undefined,
      opening: this.#openings,
    };
    this.#draw();
    this.#watch(messages.syncCursor, signal);
  }

  #watch(after: string, signal: AbortSignal): void {
    const payload = { query: stringifyDocument(RoomEventsDocument), variables: { roomId: this.#id, after } };
    const unsubscribe = this.#chat.api.streams.subscribe(payload, {
      next: ({ data }: { data?: RoomEventsSubscription }) => data && this.#take(data.roomEvents),
      status: (status) => this.#set({ status, wasLive: status === 'live' || (this.#now?.wasLive ?? false) }),
      error: (error) => {
        this.#chat.api.heard(error);
        const code = errorCode(error);
        if (code === 'NOT_FOUND' || code === 'FORBIDDEN') this.#leave('unseen');
        else if (code === 'CURSOR_EXPIRED') this.open();
        else if (code !== 'UNAUTHENTICATED') void this.#reopen(signal);
      },
      complete: () => {
        if (!this.#now?.view.deleted) void this.#reopen(signal);
      },
    });
    signal.addEventListener('abort', unsubscribe);
  }

  #take(event: RoomEventsSubscription['roomEvents']): void {
    const now = this.#now;
    if (!now) return;
    const view: View = applyRoomEvent(now.view, event);
    if ('message' in event) {
      if (event.__typename !== 'MessageAdded') this.#changed?.set(event.message.id, event.message);
      this.#meet([event.message]);
    }
    if ('membership' in event) this.#chat.people.meet([event.membership?.user]);
    this.#set({ view, mine: ownPlace(this.#chat.viewer.id, event, view, now.mine) });
    if (view.deleted) this.#leave('deleted');
  }

  /** The stream ended without saying why: what the room is now is asked for. */
  async #reopen(signal: AbortSignal): Promise<void> {
    await pause(Math.random() * reopenAfterMs, signal);
    if (!signal.aborted) this.open();
  }

  #leave(why: 'deleted' | 'unseen'): void {
    this.close();
    this.#now = undefined;
    this.state.set({ at: 'gone', why });
    this.#chat.rooms.refresh();
  }

  #meet(messages: readonly ShownMessageFragment[]): void {
    this.#chat.people.meet(messages.map(({ sender }) => sender));
  }

  #set(changes: Partial<Opened>): void {
    if (!this.#now) return;
    this.#now = { ...this.#now, ...changes };
    this.#drawing ??= setTimeout(() => this.#draw(), drawEveryMs);
  }

  #draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    if (this.#now) this.state.set(this.#now);
  }
}
