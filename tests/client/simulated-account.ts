// A server in miniature with the rooms of one viewer: what it stores, what a new page shows, and what the viewer is sent. It
// counts unread messages by looking at each message. What it sends is as of the moment of execution, and may be delivered later.

import { pick } from '../support/random.ts';

export const viewerId = 'viewer';

interface Message {
  readonly number: number;
  readonly own: boolean;
  deleted: boolean;
}

interface StoredRoom {
  readonly id: string;
  name: string;
  revision: number;
  talkCount: number;
  lastNumber: number;
  floorNumber: number;
  lastActiveMs: number;
  messages: Message[];
  deletions: { number: number; revision: number }[];
  /** The newest message that is not deleted, at each revision. */
  lastMessages: (Message | undefined)[];
  readThrough: number;
  readVersion: number;
  mutedUntilMs: number | undefined;
  /** The order of the last change of the room or membership. */
  changed: number;
}

interface Stored {
  nowMs: number;
  /** Grows with each change. A cursor is an order. */
  order: number;
  rooms: StoredRoom[];
  departures: { id: string; order: number }[];
  created: number;
}

export interface ShownRoom {
  readonly id: string;
  readonly name: string;
  readonly lastActiveAt: string;
  readonly revision: number;
  readonly talkCount: number;
  readonly lastMessage: { readonly number: number; readonly sender: { readonly id: string } } | null;
  readonly viewerMembership?: ShownMembership | null;
}

export interface ShownMembership {
  readonly unreadCount: number;
  readonly readThrough: number;
  readonly readVersion: number;
  readonly mutedUntil: string | null;
  readonly room: { readonly revision: number; readonly talkCount: number };
}

/** An event that was executed and not delivered yet. */
export interface Sent {
  readonly type: 'ViewerRoomAdded' | 'ViewerRoomChanged' | 'ViewerRoomRemoved' | 'ViewerMembershipChanged' | 'ViewerCaughtUp';
  readonly roomId: string;
  readonly at: string;
  readonly room?: ShownRoom;
  readonly deleted?: readonly { readonly number: number; readonly revision: number }[];
  readonly membership?: ShownMembership;
  readonly complete?: boolean;
}

const timeOf = (ms: number) => new Date(ms).toISOString();
const shown = (message: Message | undefined) =>
  message ? { number: message.number, sender: { id: message.own ? viewerId : 'somebody' } } : null;

export class SimulatedAccount {
  readonly #random: () => number;
  #stored: Stored = { nowMs: Date.UTC(2026, 0, 1), order: 0, rooms: [], departures: [], created: 0 };
  /** Rooms that changed, by the revision that the viewer was sent last. */
  #changed = new Map<string, number>();
  readonly #own = new Map<string, 'ViewerRoomAdded' | 'ViewerRoomRemoved' | 'ViewerMembershipChanged'>();
  /** What the server does a moment after it has answered. */
  #later: (() => void)[] = [];

  constructor(random: () => number) {
    this.#random = random;
    for (let i = 0; i < 4; i += 1) this.#join();
    this.forget();
  }

  get order(): number {
    return this.#stored.order;
  }

  /** What a page of `rooms(filter: { joined: true })` shows. */
  page(): ShownRoom[] {
    return this.#stored.rooms
      .map((room) => this.#show(room))
      .sort((a, b) => (a.lastActiveAt === b.lastActiveAt ? (a.id < b.id ? 1 : -1) : a.lastActiveAt < b.lastActiveAt ? 1 : -1));
  }

  totals(): { rooms: number; messages: number } {
    const { rooms, nowMs } = this.#stored;
    const counts = rooms.filter(({ mutedUntilMs = 0 }) => mutedUntilMs <= nowMs).map(countUnread);
    return { rooms: counts.filter((count) => count > 0).length, messages: counts.reduce((sum, count) => sum + count, 0) };
  }

  /** One random thing that the viewer, somebody else or the server does. */
  act(): void {
    const before = this.#stored.nowMs;
    this.#stored.nowMs += Math.floor(this.#random() * 500);
    for (const room of this.#stored.rooms) {
      const { mutedUntilMs = 0 } = room;
      if (mutedUntilMs > before && mutedUntilMs <= this.#stored.nowMs) this.#note(room, 'ViewerRoomAdded');
    }
    if (this.#later.length > 0 && this.#random() < 0.4) this.#later.shift()?.();
    else pick(this.#actions, this.#random)();
  }

  /** Does what was put off. */
  settle(): void {
    for (const each of this.#later.splice(0)) each();
  }

  /** Executes what the viewer was not sent yet. */
  execute(): Sent[] {
    const at = timeOf(this.#stored.nowMs);
    const sent: Sent[] = [];
    for (const [roomId, type] of this.#own) {
      const room = this.#find(roomId);
      if (type === 'ViewerRoomRemoved' || !room) sent.push({ type: 'ViewerRoomRemoved', roomId, at });
      else if (type === 'ViewerRoomAdded') sent.push({ type, roomId, at, room: this.#show(room) });
      else sent.push({ type, roomId, at, membership: membershipOf(room) });
    }
    for (const [roomId, revision] of this.#changed) {
      const room = this.#find(roomId);
      if (room) sent.push(this.#changeOf(room, revision));
    }
    this.forget();
    return sent;
  }

  /** What the viewer is sent who comes back with a cursor. */
  catchUp(after: number, complete: boolean): Sent[] {
    const { rooms, departures, nowMs } = this.#stored;
    const at = timeOf(nowMs);
    const added = rooms.filter(({ changed }) => complete || changed > after);
    const removed = complete ? [] : departures.filter(({ id, order }) => order > after && !this.#find(id));
    this.forget();
    return [
      ...removed.map(({ id }) => ({ type: 'ViewerRoomRemoved' as const, roomId: id, at })),
      ...added.map((room) => ({ type: 'ViewerRoomAdded' as const, roomId: room.id, at, room: this.#show(room) })),
      { type: 'ViewerCaughtUp', roomId: '', at, complete },
    ];
  }

  /** Drops what the viewer was to be sent. */
  forget(): void {
    this.#own.clear();
    this.#changed = new Map();
  }

  save(): Stored {
    return structuredClone(this.#stored);
  }

  /** Everything since `saved` is lost. */
  restore(saved: Stored): void {
    this.#later = [];
    this.forget();
    this.#stored = structuredClone({ ...saved, nowMs: this.#stored.nowMs });
  }

  readonly #actions = [
    ...Array.from({ length: 6 }, () => () => this.#send(false)),
    ...Array.from({ length: 3 }, () => () => this.#send(true)),
    ...Array.from({ length: 4 }, () => () => this.#delete()),
    () => this.#write(this.#some(), (room) => (room.name += '.')),
    // Somebody joins: a number that is not a TALK message.
    () => this.#write(this.#some(), (room) => (room.lastNumber += 1)),
    () => this.#trim(),
    ...Array.from({ length: 3 }, () => () => this.#read()),
    () => this.#markUnread(),
    () => this.#mute(),
    () => this.#join(),
    () => this.#depart(),
  ];

  #some(): StoredRoom | undefined {
    return pick(this.#stored.rooms, this.#random);
  }

  #find(id: string): StoredRoom | undefined {
    return this.#stored.rooms.find((room) => room.id === id);
  }

  #write(room: StoredRoom | undefined, work: (room: StoredRoom) => unknown): void {
    if (!room) return;
    if (!this.#changed.has(room.id)) this.#changed.set(room.id, room.revision);
    room.revision += 1;
    work(room);
    room.lastMessages[room.revision] = room.messages.findLast(({ number, deleted }) => !deleted && number > room.floorNumber);
    this.#stored.order += 1;
    room.changed = this.#stored.order;
  }

  #note(room: StoredRoom, type: 'ViewerRoomAdded' | 'ViewerMembershipChanged'): void {
    if (this.#own.get(room.id) !== 'ViewerRoomAdded') this.#own.set(room.id, type);
    this.#stored.order += 1;
    room.changed = this.#stored.order;
  }

  #send(own: boolean): void {
    this.#write(this.#some(), (room) => {
      room.talkCount += 1;
      room.lastNumber += 1;
      room.lastActiveMs = this.#stored.nowMs;
      const number = room.lastNumber;
      room.messages.push({ number, own, deleted: false });
      if (!own) return;
      const marksRead = this.#random() < 0.6;
      const { readVersion } = room;
      if (!marksRead) this.#note(room, 'ViewerMembershipChanged');
      else {
        this.#later.push(() => {
          const still = this.#find(room.id);
          if (still && still.readVersion === readVersion && still.readThrough < number) this.#move(still, number);
        });
      }
    });
  }

  #delete(): void {
    const room = this.#some();
    const message =
      room && pick(room.messages.filter(({ number, deleted }) => !deleted && number > room.floorNumber).slice(-4), this.#random);
    if (!message) return;
    this.#write(room, () => {
      message.deleted = true;
      room.deletions.push({ number: message.number, revision: room.revision });
      if (message.own && message.number > room.readThrough) this.#note(room, 'ViewerMembershipChanged');
    });
  }

  #trim(): void {
    this.#write(this.#some(), (room) => {
      room.floorNumber += Math.floor(this.#random() * (room.lastNumber - room.floorNumber));
      if (room.readThrough < room.floorNumber) this.#note(room, 'ViewerMembershipChanged');
    });
  }

  #read(): void {
    const room = this.#some();
    const to = room ? room.readThrough + Math.floor(this.#random() * (room.lastNumber - room.readThrough + 1)) : 0;
    if (room && to > room.readThrough) this.#move(room, to);
  }

  #markUnread(): void {
    const room = this.#some();
    if (!room) return;
    room.readVersion += 1;
    this.#move(room, Math.floor(this.#random() * room.lastNumber));
  }

  #move(room: StoredRoom, to: number): void {
    room.readThrough = to;
    this.#note(room, 'ViewerMembershipChanged');
  }

  #mute(): void {
    const room = this.#some();
    if (!room) return;
    room.mutedUntilMs = this.#random() < 0.3 ? undefined : this.#stored.nowMs + Math.floor(this.#random() * 5000);
    this.#note(room, 'ViewerMembershipChanged');
  }

  #join(): void {
    this.#stored.created += 1;
    const { nowMs, created } = this.#stored;
    const room: StoredRoom = {
      id: `room_${String(created).padStart(4, '0')}`,
      name: `Room ${created}`,
      ...{ revision: 1, talkCount: 0, lastNumber: 1, floorNumber: 0, lastActiveMs: nowMs, changed: 0 },
      ...{ messages: [], deletions: [], lastMessages: [] },
      ...{ readThrough: 1, readVersion: 0, mutedUntilMs: undefined },
    };
    this.#stored.rooms.push(room);
    this.#note(room, 'ViewerRoomAdded');
  }

  #depart(): void {
    const room = this.#some();
    if (!room || this.#stored.rooms.length < 3) return;
    this.#stored.rooms = this.#stored.rooms.filter(({ id }) => id !== room.id);
    this.#stored.order += 1;
    this.#stored.departures.push({ id: room.id, order: this.#stored.order });
    this.#own.set(room.id, 'ViewerRoomRemoved');
    this.#changed.delete(room.id);
  }

  #show(room: StoredRoom): ShownRoom {
    return { ...this.#head(room, room.revision), viewerMembership: membershipOf(room) };
  }

  #head({ id, name, lastActiveMs, revision, talkCount, lastMessages }: StoredRoom, lastOf: number): ShownRoom {
    return { id, name, lastActiveAt: timeOf(lastActiveMs), revision, talkCount, lastMessage: shown(lastMessages[lastOf]) };
  }

  /** `deleted` may repeat. */
  #changeOf(room: StoredRoom, since: number): Sent {
    const from = this.#random() < 0.5 ? since : since - 5;
    return {
      type: 'ViewerRoomChanged',
      roomId: room.id,
      at: timeOf(this.#stored.nowMs),
      room: this.#head(room, room.revision),
      deleted: room.deletions.filter(({ revision }) => revision > from),
    };
  }

  /** `lastMessage` of a change may have been read later than the rest of it. */
  readLast({ room, ...sent }: Sent): Sent {
    const stored = this.#find(sent.roomId);
    if (sent.type !== 'ViewerRoomChanged' || !room || !stored) return room ? { ...sent, room } : sent;
    const revision = room.revision + Math.floor(this.#random() * (stored.revision - room.revision + 1));
    return { ...sent, room: { ...room, lastMessage: shown(stored.lastMessages[revision]) } };
  }
}

const countUnread = ({ messages, floorNumber, readThrough }: StoredRoom): number =>
  messages.filter(({ number, own, deleted }) => !own && !deleted && number > floorNumber && number > readThrough).length;

function membershipOf(room: StoredRoom): ShownMembership {
  const { readThrough, readVersion, mutedUntilMs, revision, talkCount } = room;
  return {
    ...{ unreadCount: countUnread(room), readThrough, readVersion },
    mutedUntil: mutedUntilMs === undefined ? null : timeOf(mutedUntilMs),
    room: { revision, talkCount },
  };
}
