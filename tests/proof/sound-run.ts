// A run in which nothing goes wrong, made up from a seed: rooms, people who write and try again, watchers who come and
// go, members who lose their right and have it back, messages that change, and faults that only delay.

import type { Bounds } from '../../proof/check/timeline.ts';
import type { FinalEntry, FinalMessage, FinalRoom, Line, SeenMessage } from '../../proof/history.ts';
import { randomFrom } from '../support/random.ts';

export interface Plan {
  readonly seed: number;
  readonly rooms: number;
  readonly watchersOfRoom: number;
  readonly rounds: number;
  /** A retry writes the message again: what must not be. */
  readonly forgetsKeys?: boolean;
}

export interface Run {
  lines: Line[];
  rooms: FinalRoom[];
}

export const bounds: Bounds = { delayMs: 1000, healedMs: 1000 };
/** How long watchers may lag without a fault, and during one with a bound of its own. */
const slackMs = { healthy: 500, bounded: 2500 };
export const boundedDelayMs = 5000;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type Message = Mutable<FinalMessage>;

interface Room {
  readonly id: string;
  readonly kind: 'OPEN' | 'PRIVATE';
  readonly log: (Omit<FinalEntry, 'message'> & { message?: Message; at: number })[];
  readonly messages: Message[];
  readonly rightless: Set<string>;
}

interface Watcher {
  readonly name: string;
  readonly viewer: string;
  readonly room: Room;
  /** How much of the log it has received. */
  position: number;
  /** What was in the log when its stream was opened. Undefined while it has none. */
  headAtOpen: number | undefined;
  started: boolean;
  /** The server has ended its stream. It knows why, and asks again once its right is back. */
  completed: boolean;
  caughtUp: boolean;
  stopped: boolean;
}

/** A key that was not acknowledged yet. */
interface Pending {
  readonly key: string;
  readonly writer: string;
  readonly room: Room;
  message?: Message;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

const shown = ({ id, number, body }: Message): SeenMessage => ({ id, number, body });

export function simulate(plan: Plan): Run {
  const simulation = new Simulation(plan);
  for (let round = 0; round < plan.rounds; round += 1) simulation.step();
  return simulation.drain();
}

class Simulation {
  readonly #random: () => number;
  readonly #forgetsKeys: boolean;
  readonly #lines: Line[] = [];
  readonly #rooms: Room[];
  readonly #watchers: Watcher[];
  readonly #pending: Pending[] = [];
  #now = 1000;
  #attempts = 0;
  #keys = 0;
  #tags = 0;
  #fault: { name: string; maxDelayMs: number | undefined } | undefined;

  constructor({ seed, rooms, watchersOfRoom, forgetsKeys = false }: Plan) {
    this.#random = randomFrom(seed);
    this.#forgetsKeys = forgetsKeys;
    this.#rooms = range(rooms).map((n) => ({
      id: `room_${n}`,
      kind: n % 3 === 0 ? 'OPEN' : 'PRIVATE',
      log: [],
      messages: [],
      rightless: new Set(),
    }));
    this.#watchers = this.#rooms.flatMap((room) =>
      range(watchersOfRoom).map((n) => ({
        name: `${room.id}/w${n}`,
        viewer: `user_${n}`,
        room,
        position: 0,
        headAtOpen: undefined,
        started: false,
        completed: false,
        caughtUp: false,
        stopped: false,
      })),
    );
  }

  step(): void {
    this.#now += this.#random() * (this.#fault ? 1000 : 50);
    const dice = this.#random();
    if (dice < 0.55) this.#send();
    else if (dice < 0.63) this.#change();
    else if (dice < 0.7) this.#comeOrGo();
    else if (dice < 0.93) this.#connectOrCut(this.#pick(this.#watchers));
    else if (this.#fault) this.#heal();
    else this.#strike();
    this.#deliver();
  }

  drain(): Run {
    if (this.#fault) this.#heal();
    for (const watcher of this.#watchers) if (watcher.headAtOpen === undefined) this.#open(watcher);
    for (const watcher of this.#watchers) while (this.#handOver(watcher));
    const rooms = this.#rooms.map(({ id, kind, log, messages }) => ({
      room: id,
      kind,
      log: log.map(({ at, message, ...entry }) => ({ ...entry, ...(message ? { message: shown(message) } : {}) })),
      messages,
    }));
    // Nothing is shared between what was seen, the log and the messages: each can be wrong by itself.
    return JSON.parse(JSON.stringify({ lines: this.#lines, rooms })) as Run;
  }

  #send(): void {
    const again = this.#random() < 0.5 ? this.#pending.shift() : undefined;
    const room = this.#pick(this.#rooms);
    const pending: Pending = again ?? { key: `key-${String(++this.#keys).padStart(6, '0')}`, writer: 'writer', room };
    const { key, writer } = pending;
    const attempt = ++this.#attempts;
    const at = this.#now;
    this.#lines.push({ type: 'invoke', at, attempt, key, writer, room: pending.room.id, node: 0 });
    const dice = this.#random();
    if (dice < 0.05 && !again) {
      this.#lines.push({ type: 'fail', at, attempt, key, code: 'FORBIDDEN' });
      return;
    }
    const deduplicated = pending.message !== undefined && !this.#forgetsKeys;
    if (dice < 0.9 && !deduplicated) pending.message = this.#add(pending.room, `${key} says hello`, key);
    // Watchers may hear of it before its sender does.
    if (this.#random() < 0.3) this.#deliver();
    if (dice < 0.8 && pending.message) {
      const { id, number, cursor } = pending.message;
      this.#lines.push({ type: 'ok', at: this.#now, attempt, key, id, number, cursor, deduplicated });
    } else {
      this.#lines.push({ type: 'unknown', at: this.#now, attempt, key, why: 'the connection was lost' });
      this.#pending.push(pending);
    }
  }

  #change(): void {
    const room = this.#pick(this.#rooms);
    const message = this.#pick(room.messages);
    if (!message?.body) return;
    const deleted = this.#random() < 0.3;
    message.body = deleted ? null : `${message.key} says something else ${room.log.length}`;
    this.#append(room, { event: deleted ? 'MessageDeleted' : 'MessageEdited', message });
  }

  #comeOrGo(): void {
    const { room, viewer: userId } = this.#pick(this.#watchers);
    if (room.rightless.delete(userId)) {
      this.#append(room, { event: 'MemberJoined', userId });
      this.#add(room, null, null);
    } else {
      this.#add(room, null, null);
      this.#append(room, { event: 'MemberLeft', userId });
      if (room.kind !== 'OPEN') room.rightless.add(userId);
    }
  }

  #connectOrCut(watcher: Watcher): void {
    if (watcher.headAtOpen === undefined) this.#open(watcher);
    else this.#end(watcher, this.#random() < 0.1 ? 'stopped' : 'lost');
  }

  #open(watcher: Watcher): void {
    const { name, viewer, room } = watcher;
    const refused = room.rightless.has(viewer);
    if (watcher.stopped || (refused && (!watcher.started || watcher.completed))) return;
    if (!watcher.started) watcher.position = Math.floor(this.#random() * (room.log.length + 1));
    watcher.started = true;
    watcher.headAtOpen = room.log.length;
    watcher.caughtUp = false;
    const after = this.#cursorAt(watcher);
    this.#lines.push({ type: 'open', at: this.#now, watcher: name, room: room.id, viewer, node: 0, after });
    if (refused) this.#end(watcher, 'error');
  }

  #end(watcher: Watcher, how: 'complete' | 'error' | 'lost' | 'stopped'): void {
    watcher.headAtOpen = undefined;
    watcher.stopped = how === 'stopped';
    watcher.completed = how === 'complete';
    this.#lines.push({ type: 'end', at: this.#now, watcher: watcher.name, how, why: 'as it is' });
  }

  #strike(): void {
    const bounded = this.#random() < 0.5;
    this.#fault = { name: bounded ? 'Redis killed' : 'PostgreSQL killed', maxDelayMs: bounded ? boundedDelayMs : undefined };
    const { name: fault, maxDelayMs } = this.#fault;
    this.#lines.push({ type: 'fault', at: this.#now, fault, ...(maxDelayMs === undefined ? {} : { maxDelayMs }) });
  }

  #heal(): void {
    const fault = this.#fault?.name as string;
    this.#lines.push({ type: 'healed', at: this.#now, fault }, { type: 'recovered', at: this.#now + 10, fault });
    this.#fault = undefined;
  }

  // Now and then all, now and then a part; always what would be late otherwise.
  #deliver(): void {
    const slack = this.#fault ? (this.#fault.maxDelayMs === undefined ? Infinity : slackMs.bounded) : slackMs.healthy;
    for (const watcher of this.#watchers) {
      const { room } = watcher;
      let some = this.#random() < 0.3 ? Infinity : Math.floor(this.#random() * 3);
      while (some-- > 0 || (room.log[watcher.position]?.at ?? Infinity) < this.#now - slack) if (!this.#handOver(watcher)) break;
    }
  }

  #handOver(watcher: Watcher): boolean {
    const { name, room, viewer, headAtOpen } = watcher;
    if (headAtOpen === undefined) return false;
    const entry = room.log[watcher.position];
    if (!entry) {
      if (watcher.caughtUp) return false;
      watcher.caughtUp = true;
      this.#lines.push({ type: 'event', at: this.#now, watcher: name, room: room.id, event: 'CaughtUp', cursor: this.#cursorAt(watcher) });
      return false;
    }
    watcher.position += 1;
    const { at, message, ...rest } = entry;
    this.#lines.push({
      type: 'event',
      at: this.#now,
      watcher: name,
      room: room.id,
      ...rest,
      ...(message ? { message: shown(message) } : {}),
    });
    const lostRight = room.kind !== 'OPEN' && entry.event === 'MemberLeft' && entry.userId === viewer;
    if (lostRight && watcher.position > headAtOpen) this.#end(watcher, 'complete');
    return true;
  }

  #add(room: Room, body: string | null, key: string | null): Message {
    const number = room.messages.length + 1;
    const message: Message = { id: `msg_${room.id}_${number}`, number, body, key, cursor: '' };
    room.messages.push(message);
    message.cursor = this.#append(room, { event: 'MessageAdded', message });
    return message;
  }

  #append(room: Room, entry: Omit<Room['log'][number], 'cursor' | 'at'>): string {
    const cursor = `${room.id}:${room.log.length + 1}:${++this.#tags}`;
    room.log.push({ cursor, at: this.#now, ...entry });
    return cursor;
  }

  #cursorAt({ room, position }: Watcher): string {
    return room.log[position - 1]?.cursor ?? `${room.id}:0`;
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }
}
