// What the sidebar lists: the rooms of the viewer, which their stream keeps current, and the other OPEN rooms. Also tells what
// the viewer has to know of rooms that they do not look at.

import type { Api } from '../api.ts';
import {
  type ListedRoomFragment,
  MarkAllReadDocument,
  MarkRoomReadDocument,
  MarkRoomUnreadDocument,
  MuteRoomDocument,
} from '../gql/graphql.ts';
import type { People } from '../people.ts';
import { Store } from '../store.ts';
import { isMuted } from './muted.ts';
import { type Departure, MyRooms } from './my-rooms.ts';
import { Notifier } from './notifier.ts';
import { OpenRooms } from './open-rooms.ts';

/** "Until unmuted": the last moment that the API can name. */
const forever = '9999-12-31T23:59:59.999Z';

export class RoomList {
  readonly mine: MyRooms;
  readonly others: OpenRooms;
  readonly notifier: Notifier;
  readonly searched = new Store('');
  /** Rooms that left the list, and that the viewer was not told of yet. */
  readonly departures = new Store<readonly Departure[]>([]);
  /** The room whose newest message is on the screen and is seen. What arrives there is read. */
  readonly reading = new Store<string | undefined>(undefined);
  readonly #api: Api;
  readonly #expected = new Set<string>();

  constructor(api: Api, viewerId: string, people: People) {
    this.#api = api;
    this.notifier = new Notifier(viewerId);
    this.mine = new MyRooms(api, viewerId, {
      changed: (before, now) => this.notifier.tell(before, now, this.reading.value),
      departed: (departure) => this.#depart(departure),
    });
    this.mine.list.subscribe(() => {
      const rooms = this.mine.list.value?.rooms ?? [];
      people.meet(rooms.flatMap(({ peer, lastMessage }) => [peer, lastMessage?.sender]));
    });
    this.others = new OpenRooms(api, people);
  }

  search(text: string): void {
    this.searched.set(text.trim());
    this.others.search(text.trim());
  }

  /** Asks for the rooms that no stream tells of. */
  refresh(): void {
    this.others.refresh();
  }

  /** The viewer leaves or deletes the room here, and does not need to be told. */
  expectDeparture(roomId: string): void {
    this.#expected.add(roomId);
  }

  forgetDeparture(roomId: string): void {
    this.departures.set(this.departures.value.filter(({ room }) => room.id !== roomId));
  }

  async markRead(roomId: string, upTo: string): Promise<void> {
    const readVersion = this.mine.find(roomId)?.viewerMembership?.readVersion ?? null;
    const { markRoomRead } = await this.#api.mutate(MarkRoomReadDocument, { input: { roomId, upTo, readVersion } });
    if (markRoomRead) this.mine.applyMembership(roomId, markRoomRead.membership);
  }

  async markUnread(roomId: string, messageId: string): Promise<void> {
    const { markRoomUnread } = await this.#api.mutate(MarkRoomUnreadDocument, { messageId });
    if (markRoomUnread) this.mine.applyMembership(roomId, markRoomUnread.membership);
  }

  /** The stream tells of each room. */
  async markAllRead(): Promise<void> {
    await this.#api.mutate(MarkAllReadDocument, {});
  }

  async mute({ id, viewerMembership }: ListedRoomFragment): Promise<void> {
    const mutedUntil = isMuted(viewerMembership) ? null : forever;
    const { updateMembership } = await this.#api.mutate(MuteRoomDocument, { roomId: id, mutedUntil });
    if (updateMembership) this.mine.applyMembership(id, updateMembership.membership);
  }

  close(): void {
    this.mine.close();
    this.others.close();
  }

  #depart(departure: Departure): void {
    const { id, kind } = departure.room;
    // It is an OPEN room of which the viewer is no member now.
    if (kind === 'OPEN') this.others.refresh();
    if (!this.#expected.delete(id)) this.departures.set([...this.departures.value.filter(({ room }) => room.id !== id), departure]);
  }
}
