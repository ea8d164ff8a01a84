// The writers and the watchers of a run, in rooms of their own, on every node, over every protocol.

import { setTimeout as sleep } from 'node:timers/promises';
import type { FinalRoom, Line } from '../history.ts';
import { now } from '../journal.ts';
import { type Account, must, request, signIn } from './api.ts';
import { finalState, type Room } from './final-state.ts';
import { Outbox } from './outbox.ts';
import { SocketRequester } from './socket-requester.ts';
import type { Stream } from './stream.ts';
import { openStream, type Protocol, protocols } from './streams.ts';
import { type Selection, Watcher } from './watcher.ts';
import { type RoomWriter, Writers } from './writers.ts';

export interface CrowdOptions {
  /** The GraphQL endpoints of the nodes. */
  readonly urls: readonly string[];
  readonly record: (line: Line) => void;
  readonly rooms: number;
  readonly watchersPerRoom: number;
  /** Each writes into every room. */
  readonly writers: number;
  /** Messages a second, over all writers. Infinity: as fast as they are answered. */
  readonly rate: number;
  /** How many messages are edited or deleted afterwards: a share of 1. */
  readonly changeShare?: number;
  readonly random?: () => number;
}

/** Every third writer uses WebSockets. */
const socketWriterShare = 3;
const startTimeoutMs = 60_000;
const pollMs = 20;

/** One in `ownSelectionShare` watchers selects a field that depends on the viewer: each of its events is a query of its own. */
const ownSelectionShare = 12;

export interface WatchOptions {
  readonly protocol: Protocol;
  /** Default: `shared`. */
  readonly selection?: Selection;
  /** Opens the stream, in place of the protocol. */
  readonly open?: (watcher: Watcher) => Stream;
  /** The preferred node, modulo the number of nodes. */
  readonly node: number;
  readonly after?: string;
  /** Whether the watcher is recorded, and so checked. Default: true. */
  readonly recorded?: boolean;
}

/** A watcher and its stream. */
export interface OpenWatcher {
  readonly watcher: Watcher;
  readonly stream: Stream;
}

export class Crowd implements AsyncDisposable {
  readonly urls: readonly string[];
  readonly outbox: Outbox;
  /** Owns every room, and is a member of each. */
  readonly owner: Account;
  readonly #rooms: Room[] = [];
  readonly #watchers: OpenWatcher[] = [];
  readonly #record: (line: Line) => void;
  readonly #open = new Set<OpenWatcher>();
  readonly #sockets = new DisposableStack();
  #writers: Writers | undefined;
  /** How many of the rooms, from the first on, the crowd writes into. */
  #busy = 0;
  #named = 0;

  private constructor({ urls, record }: CrowdOptions, owner: Account) {
    this.urls = urls;
    this.#record = record;
    this.owner = owner;
    this.outbox = new Outbox(urls, record);
  }

  /** Resolves when every watcher is live and the writers have started. */
  static async start(options: CrowdOptions): Promise<Crowd> {
    const { urls, random = Math.random, changeShare = 0.03, rate } = options;
    const crowd = new Crowd(options, await signIn(urls, 'Owner'));
    await using opened = new AsyncDisposableStack();
    opened.use(crowd);
    const viewers = await crowd.signIn(options.watchersPerRoom);
    const writers = await crowd.signIn(options.writers);
    const memberIds = [...viewers, ...writers].map(({ userId }) => userId);
    for (let i = 0; i < options.rooms; i += 1) {
      const room = await crowd.createRoom(i % 2 === 0 ? 'OPEN' : 'PRIVATE', memberIds);
      for (const [j, viewer] of viewers.entries()) {
        const protocol = protocols[Math.floor(j / urls.length + i) % protocols.length] as Protocol;
        const selection = (j + 5 * i) % ownSelectionShare === 0 ? 'own' : 'shared';
        crowd.#watchers.push(crowd.watch(room, viewer, { protocol, node: j, selection }));
      }
    }
    await waitFor(
      startTimeoutMs,
      () => crowd.#watchers.find(({ watcher }) => !watcher.caughtUp),
      ({ watcher }) => `${watcher.watch.name} received nothing`,
    );
    const roomWriters = writers.flatMap((writer, i) => {
      const request = i % socketWriterShare === 0 ? crowd.#sockets.use(new SocketRequester(urls, writer)).request : crowd.requestAs(writer);
      return crowd.rooms.map((room): RoomWriter => ({ room: room.id, writer, request }));
    });
    crowd.#busy = crowd.rooms.length;
    crowd.#writers = new Writers(crowd.outbox, roomWriters, { rate, changeShare, random });
    opened.move();
    return crowd;
  }

  /** The rooms that the crowd writes into. */
  get busyRooms(): readonly Room[] {
    return this.#rooms.slice(0, this.#busy);
  }

  /** The rooms of the crowd, and those that faults have created. */
  get rooms(): readonly Room[] {
    return this.#rooms;
  }

  /** A cursor of a busy room, close to its head. */
  cursorOf({ id }: Room): string {
    const inRoom = this.#watchers.map(({ watcher }) => watcher).filter(({ watch }) => watch.roomId === id);
    const [first, ...others] = inRoom as [Watcher, ...Watcher[]];
    return others.reduce((one, other) => (other.number > one.number ? other : one), first).request.variables.after;
  }

  /** Messages that were acknowledged. */
  get sent(): number {
    return this.outbox.sent;
  }

  /** Messages a second, over all writers. Zero: a pause. */
  get rate(): number {
    return this.#writers?.rate ?? 0;
  }

  set rate(rate: number) {
    if (this.#writers) this.#writers.rate = rate;
  }

  /** Sends no new messages. Resolves when the outcome of every message is known. */
  async stopWriting(timeoutMs?: number): Promise<void> {
    await this.#writers?.stop(timeoutMs);
  }

  /** Resolves when every watcher of the crowd has received everything that was acknowledged before the call. */
  caughtUp(timeoutMs = 30_000): Promise<void> {
    return this.seen(this.#watchers, timeoutMs);
  }

  /** The same for some watchers. Rejects with a sentence about the first that has not. */
  async seen(watchers: readonly OpenWatcher[], timeoutMs = 30_000): Promise<void> {
    const target = new Map(this.#rooms.map(({ id }) => [id, this.outbox.acknowledged(id)]));
    await waitFor(
      timeoutMs,
      () => watchers.find(({ watcher }) => watcher.number < (target.get(watcher.watch.roomId) as number)),
      ({ watcher }) => {
        const { name, roomId } = watcher.watch;
        const how = watcher.ended === undefined ? '' : ` and has ended (${watcher.ended})`;
        return `${name} of ${roomId} has received messages up to ${watcher.number} of ${target.get(roomId)}${how}`;
      },
    );
  }

  /** Signs in as many guests. */
  async signIn(count: number): Promise<Account[]> {
    const guests: Account[] = [];
    while (guests.length < count) guests.push(await signIn(this.urls, `Guest ${this.#nextNumber()}`));
    return guests;
  }

  /** Creates a room of the owner with these members. */
  async createRoom(kind: 'OPEN' | 'PRIVATE', memberIds: readonly string[]): Promise<Room> {
    const input = { name: `Room ${this.#rooms.length + 1}`, kind, memberIds };
    const { createRoom } = await must(this.urls, this.owner.token, createRoomMutation, { input });
    const { id, messages } = createRoom.room;
    const room = { id, start: messages.syncCursor };
    this.#rooms.push(room);
    return room;
  }

  async removeMember(room: Room, { userId }: Account): Promise<void> {
    await must(this.urls, this.owner.token, removeMemberMutation, { input: { roomId: room.id, userId } });
  }

  /** Signs a guest out through one node. Nothing that is sent later than `withinMs` after that may be delivered to them. */
  async signOut({ userId, token }: Account, node: number, withinMs: number): Promise<void> {
    const urls = [...this.urls.slice(node), ...this.urls.slice(0, node)];
    await must(urls, token, 'mutation { signOut { signedOut } }');
    this.#record({ type: 'signedOut', at: now(), viewer: userId, withinMs });
  }

  /** Watches a room after `after`, or from its beginning. */
  watch(room: Room, viewer: Account, options: WatchOptions): OpenWatcher {
    const { protocol, node, after = room.start, recorded = true, selection = 'shared', open } = options;
    const watcher = new Watcher({
      name: `${open ? 'special' : protocol} ${this.#nextNumber()}`,
      roomId: room.id,
      after,
      viewer: viewer.userId,
      token: viewer.token,
      urls: this.urls,
      node: node % this.urls.length,
      selection,
      record: recorded ? this.#record : () => {},
    });
    const openWatcher = { watcher, stream: open ? open(watcher) : openStream(protocol, watcher) };
    this.#open.add(openWatcher);
    return openWatcher;
  }

  /** Ends openWatcher. A watcher that is recorded must have received everything, or have been stopped. */
  leave(watchers: readonly OpenWatcher[]): void {
    for (const openWatcher of watchers) {
      openWatcher.stream.close();
      this.#open.delete(openWatcher);
    }
  }

  /** Sends operations of the account over HTTP. */
  requestAs({ token }: Account): RoomWriter['request'] {
    return (node, query, variables) => request(this.urls[node] as string, token, query, variables);
  }

  /** Every room as it is now, read through one node. */
  finalState(url: string): Promise<FinalRoom[]> {
    return finalState(url, this.#rooms, this.owner.token);
  }

  #nextNumber(): number {
    this.#named += 1;
    return this.#named;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.outbox.close();
    try {
      await this.stopWriting();
    } finally {
      this.leave([...this.#open]);
      this.#sockets.dispose();
    }
  }
}

/** Waits until `find` finds nothing. Rejects with what `describe` says about what it finds. */
async function waitFor<T>(timeoutMs: number, find: () => T | undefined, describe: (found: T) => string): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let found = find(); found !== undefined; found = find()) {
    if (performance.now() > deadline) throw new Error(`After ${timeoutMs} ms, ${describe(found)}.`);
    await sleep(pollMs);
  }
}

const createRoomMutation =
  'mutation ($input: CreateRoomInput!) { createRoom(input: $input) { room { id messages(last: 1) { syncCursor } } } }';
const removeMemberMutation = 'mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { removedUserId } }';
