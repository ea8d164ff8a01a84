// The final state of a room. Every delivery is compared with its log.

import type { FinalEntry, FinalMessage, FinalRoom, SeenMessage } from '../history.ts';
import type { Findings } from './verdicts.ts';

/** Entries that a viewer has no right to: those between the entry that ended the right and the one that restored it. */
export interface SpanWithoutRight {
  readonly left: number;
  /** Infinity if it was never restored. */
  readonly back: number;
}

interface Changes {
  /** Places in the log of the last change and of the deletion. -1: never. */
  last: number;
  deleted: number;
  edits: number;
  /** Bodies that it had, other than the final one. */
  readonly bodies: Set<string>;
}

export class RoomCheck {
  readonly id: string;
  readonly log: readonly FinalEntry[];
  readonly messages: readonly FinalMessage[];
  /** By place in the log: when the message was first acknowledged, and first sent. NaN: never. */
  readonly ackedAt: Float64Array;
  readonly invokedAt: Float64Array;
  readonly #places = new Map<string, number>();
  readonly #added = new Map<string, number>();
  readonly #changes = new Map<string, Changes>();
  readonly #spansWithoutRight = new Map<string, SpanWithoutRight[]>();

  constructor({ room, kind, log, messages }: FinalRoom) {
    this.id = room;
    this.log = log;
    this.messages = messages;
    this.ackedAt = new Float64Array(log.length).fill(NaN);
    this.invokedAt = new Float64Array(log.length).fill(NaN);
    for (const [place, entry] of log.entries()) {
      this.#places.set(entry.cursor, place);
      if (entry.message) this.#place(place, entry.event, entry.message.id);
      else if (entry.userId !== undefined && kind !== 'OPEN') this.#trackMembership(place, entry.event, entry.userId);
    }
  }

  /** The place in the log of the entry with this cursor. */
  placeOf(cursor: string): number | undefined {
    return this.#places.get(cursor);
  }

  /** The place in the log where the message was added. */
  placeOfMessage(id: string): number | undefined {
    return this.#added.get(id);
  }

  spansWithoutRight(userId: string): readonly SpanWithoutRight[] {
    return this.#spansWithoutRight.get(userId) ?? [];
  }

  isDeleted(id: string): boolean {
    return (this.#changes.get(id)?.deleted ?? -1) >= 0;
  }

  /**
   * Whether the message of the entry at `place` may have had this body when it was delivered. That is the final body,
   * unless the message was changed after that entry. Even then there are no more bodies than edits have made, and no body
   * only after a deletion, or for a viewer who has lost the right.
   */
  mayRead(place: number, { id, body }: SeenMessage, final: string | null, viewer: string): boolean {
    if (body === final) return true;
    const changes = this.#changes.get(id);
    if (!changes || changes.last <= place) return false;
    if (body === null) return changes.deleted > place || this.spansWithoutRight(viewer).length > 0;
    changes.bodies.add(body);
    return changes.bodies.size + (final === null ? 0 : 1) <= changes.edits + 1;
  }

  /** Compares the log with the messages, and the numbers with 1, 2, 3 … */
  checkFinal(findings: Findings): void {
    let number = 0;
    for (const message of this.messages) {
      const previous = number;
      number = message.number;
      if (number !== previous + 1)
        findings.add('misnumbered', undefined, () => `In ${this.id}, message ${number} follows message ${previous}.`);
    }
    const added = this.log.filter(({ event }) => event === 'MessageAdded');
    for (let i = 0; i < Math.max(added.length, this.messages.length); i += 1) {
      const [entry, message] = [added[i], this.messages[i]];
      if (entry && message && entry.cursor === message.cursor && entry.message && same(entry.message, message)) continue;
      findings.add(
        'differing',
        undefined,
        () => `In ${this.id}, the log has ${describeMessage(entry?.message)} where the messages have ${describeMessage(message)}.`,
      );
      // The rest differs for the same reason, and one case is enough.
      if (added.length !== this.messages.length) break;
    }
  }

  #place(place: number, event: string, id: string): void {
    if (event === 'MessageAdded') this.#added.set(id, place);
    else {
      const changes = this.#changes.get(id) ?? { last: -1, deleted: -1, edits: 0, bodies: new Set() };
      changes.last = place;
      if (event === 'MessageDeleted') changes.deleted = place;
      else changes.edits += 1;
      this.#changes.set(id, changes);
    }
  }

  #trackMembership(place: number, event: string, userId: string): void {
    const spans = this.#spansWithoutRight.get(userId) ?? [];
    this.#spansWithoutRight.set(userId, spans);
    const last = spans.at(-1);
    if (event === 'MemberLeft') spans.push({ left: place, back: Infinity });
    else if (event === 'MemberJoined' && last?.back === Infinity) spans[spans.length - 1] = { left: last.left, back: place };
  }
}

const same = (a: SeenMessage, b: SeenMessage) => a.id === b.id && a.number === b.number && a.body === b.body;

export const describeMessage = (message: SeenMessage | undefined): string =>
  message ? `message ${message.number} (${message.id}, ${JSON.stringify(message.body)?.slice(0, 60)})` : 'nothing';
