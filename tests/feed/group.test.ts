// A group pauses after a delivery that took long, so that messages sent in answer to it are delivered together.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/clock.ts';
import { Group, type Member, type Tail } from '../../src/feed/group.ts';
import type { Position } from '../../src/storage/cursor.ts';
import type { LogEntry } from '../../src/storage/room-log.ts';

class Room implements Tail {
  epoch = 1;
  readonly #entries: LogEntry[] = [];
  readonly #wakes = new Set<() => void>();

  get head(): Position {
    return this.#entries.at(-1) ?? { seq: 0, tag: 0 };
  }

  entryAfter({ seq }: Position): LogEntry | undefined {
    return this.#entries[seq];
  }

  onChange(wake: () => void): () => void {
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  append(): void {
    const seq = this.#entries.length + 1;
    this.#entries.push({ type: 'MessageAdded', roomId: 'room_1', messageId: `message_${seq}`, seq, tag: seq, at: new Date(0) } as never);
    this.wake();
  }

  wake(): void {
    for (const wake of this.#wakes) wake();
  }
}

/** A group of one member, whose deliveries take `deliveryMs`. */
function open(deliveryMs: number) {
  let nowMs = 0;
  const pauses: (() => void)[] = [];
  const clock: Clock = {
    now: () => nowMs,
    after: () => assert.fail('a group needs no timer'),
    sleep: () => new Promise((resolve) => void pauses.push(resolve)),
  };
  const executed: number[][] = [];
  let left = false;
  const member: Member<number> = {
    deliver: () => {
      nowMs += deliveryMs;
      return true;
    },
    onLeft: () => {
      left = true;
    },
  };
  const execute = async (entries: readonly LogEntry[]) => {
    executed.push(entries.map(({ seq }) => seq));
    return entries.map(({ seq }) => seq);
  };
  const room = new Room();
  const group = new Group(room, { wants: () => true, execute }, room.head, member, clock, () => {});
  const settle = async () => {
    for (let i = 0; i < 5; i += 1) await turn();
  };
  return { room, group, member, executed, pauses, settle, hasLeft: () => left };
}

describe('a group', () => {
  it('executes together what arrives while it pauses after a long delivery', async () => {
    const { room, executed, pauses, settle, group, member } = open(2);
    room.append();
    await settle();
    for (let i = 0; i < 3; i += 1) {
      room.append();
      await settle();
    }
    assert.deepEqual(executed, [[1]]);
    pauses.shift()?.();
    await settle();
    assert.deepEqual(executed, [[1], [2, 3, 4]]);
    group.remove(member);
  });

  it('does not pause after a short delivery', async () => {
    const { room, executed, pauses, settle, group, member } = open(0.5);
    for (let i = 0; i < 3; i += 1) {
      room.append();
      await settle();
    }
    assert.deepEqual([executed, pauses], [[[1], [2], [3]], []]);
    group.remove(member);
  });

  it('ends if the room failed during the pause', async () => {
    const { room, pauses, settle, hasLeft } = open(2);
    room.append();
    await settle();
    room.epoch += 1;
    room.wake();
    assert.equal(hasLeft(), false);
    pauses.shift()?.();
    await settle();
    assert.equal(hasLeft(), true);
  });
});
