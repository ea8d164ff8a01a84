// Compares what was sent and acknowledged with the final messages.

import type { Attempt, FinalMessage } from '../history.ts';
import { describeMessage, type RoomCheck } from './room-check.ts';
import type { Findings } from './verdicts.ts';

type Line<Type extends Attempt['type']> = Extract<Attempt, { type: Type }>;

/** What is known about one key. */
interface Sending {
  readonly room: string;
  attempts: number;
  refused: number;
  acknowledged: boolean;
  /** The first message that has it. */
  readonly message: FinalMessage | undefined;
}

export class WritersCheck {
  readonly #rooms: ReadonlyMap<string, RoomCheck>;
  readonly #findings: Findings;
  readonly #sendings = new Map<string, Sending>();
  readonly #keyLengths = new Set<number>();
  readonly #byId = new Map<string, FinalMessage>();
  readonly #byKey = new Map<string, FinalMessage>();
  attempts = 0;
  acknowledged = 0;

  constructor(rooms: ReadonlyMap<string, RoomCheck>, findings: Findings) {
    this.#rooms = rooms;
    this.#findings = findings;
    for (const { messages } of rooms.values()) {
      for (const message of messages) {
        this.#byId.set(message.id, message);
        if (message.key !== null && !this.#byKey.has(message.key)) this.#byKey.set(message.key, message);
      }
    }
  }

  invoke({ key, room, at }: Line<'invoke'>): void {
    this.attempts += 1;
    let sending = this.#sendings.get(key);
    if (!sending) {
      const message = this.#byKey.get(key);
      sending = { room, attempts: 0, refused: 0, acknowledged: false, message };
      this.#sendings.set(key, sending);
      this.#keyLengths.add(key.length);
      if (message) this.#stamp(room, 'invokedAt', message.id, at);
    }
    sending.attempts += 1;
  }

  ok(line: Line<'ok'>): void {
    const { at, key, id, number, cursor } = line;
    const sending = this.#sendingOf(key);
    if (!sending.acknowledged) this.acknowledged += 1;
    sending.acknowledged = true;
    const acknowledged = `Message ${number} of ${sending.room} (${id}, key ${key})`;
    const named = this.#byId.get(id);
    const message = named && mayBeOf(named, key) ? named : sending.message;
    if (!message) {
      this.#findings.add('lost', at, () => `${acknowledged} was acknowledged, but is missing.`);
      return;
    }
    this.#stamp(sending.room, 'ackedAt', message.id, at);
    if (message.id === id && message.number === number && message.cursor === cursor) return;
    const otherwise = () => `${acknowledged} was acknowledged at ${cursor}, and is ${describeMessage(message)} at ${message.cursor}.`;
    this.#findings.add('lost', at, otherwise);
    this.#findings.add('differing', at, otherwise);
  }

  fail({ key }: Line<'fail'>): void {
    this.#sendingOf(key).refused += 1;
  }

  /** Checks that every final message was sent, and once. */
  finish(): void {
    const posted = new Map<string, FinalMessage>();
    for (const room of this.#rooms.values()) {
      for (const message of room.messages) {
        const keys = this.#keysOf(message);
        if (keys.length === 0 && !mayBeUnsent(room, message))
          this.#findings.add('phantom', undefined, () => `In ${room.id} there is ${describeMessage(message)}, which was not sent.`);
        for (const key of keys) {
          const sending = this.#sendingOf(key);
          if (sending.room !== room.id || sending.attempts === sending.refused)
            this.#findings.add(
              'phantom',
              undefined,
              () => `In ${room.id} there is ${describeMessage(message)}, which was refused or sent to another room.`,
            );
          const other = posted.get(key);
          if (other)
            this.#findings.add(
              'doublePosted',
              undefined,
              () => `In ${room.id}, ${describeMessage(other)} and ${describeMessage(message)} both have the key ${key}.`,
            );
          else posted.set(key, message);
        }
      }
    }
  }

  /** The keys of a message: its own, and the one that its body begins with. They should be the same. */
  #keysOf({ key, body }: FinalMessage): string[] {
    const lengths = body === null ? [] : [...this.#keyLengths].sort((a, b) => b - a);
    const ofBody = lengths.map((length) => (body as string).slice(0, length)).find((start) => this.#sendings.has(start));
    return [...new Set([key, ofBody])].filter((known): known is string => known != null && this.#sendings.has(known));
  }

  #stamp(room: string, what: 'invokedAt' | 'ackedAt', id: string, at: number): void {
    const check = this.#rooms.get(room);
    const place = check?.placeOfMessage(id);
    if (check && place !== undefined && !((check[what][place] as number) <= at)) check[what][place] = at;
  }

  #sendingOf(key: string): Sending {
    const sending = this.#sendings.get(key);
    if (!sending) throw new Error(`The history is broken: ${key} was answered before it was sent.`);
    return sending;
  }
}

// A deleted message has lost its body, and perhaps its key.
const mayBeOf = (message: FinalMessage, key: string) =>
  message.key === key || (message.body === null ? message.key === null : message.body.startsWith(key));

/** The server writes ENTER directly after MemberJoined and LEAVE directly before MemberLeft. The sender of a tombstone is unknown. */
function mayBeUnsent(room: RoomCheck, { id, key, body }: FinalMessage): boolean {
  const place = room.placeOfMessage(id);
  if (key !== null || body !== null || place === undefined) return false;
  return room.isDeleted(id) || room.log[place - 1]?.event === 'MemberJoined' || room.log[place + 1]?.event === 'MemberLeft';
}
