// Account streams: whatever happens to clients, to the bus and to transactions, the list that a client keeps converges to a fresh
// page, and equals it whenever it has caught up. Nobody is shown a room as it is after they were removed from it.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Chat } from '../../src/chat/chat.ts';
import { addMember, joinRoom, leaveRoom, removeMember } from '../../src/chat/members.ts';
import { deleteMessage, editMessage, sendMessage } from '../../src/chat/messages.ts';
import { createRoom, deleteRoom, openDirectRoom, updateRoom } from '../../src/chat/rooms.ts';
import type { AccountEvent } from '../../src/feed/account-event.ts';
import { type LockedRoom, lockRoom } from '../../src/storage/locked-room.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { changeMembership, Node } from '../support/account-node.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { assertShownToMembers, freshList, ListReader, type ReaderOptions, type Shown } from '../support/list-reader.ts';
import { until } from '../support/process.ts';
import { chooseSeed, pick, randomFrom } from '../support/random.ts';
import { storages } from '../support/server.ts';
import { chatOn, openTestStorage, range, type TestStorage } from '../support/storage.ts';

/** Refuses nothing: what a viewer may not do is not done. */
const tried = (work: Promise<unknown>) =>
  work.catch((error: { code?: string }) => {
    if (!['NOT_FOUND', 'FORBIDDEN', 'BAD_USER_INPUT', 'CONFLICT'].includes(error.code ?? '')) throw error;
  });

/** Random changes by a few users in a few rooms. */
class Traffic {
  readonly #chat: Chat;
  readonly #users: readonly string[];
  readonly #random: () => number;
  readonly rooms: string[] = [];
  readonly #messages: { id: string; roomId: string; by: string }[] = [];
  /** Transactions that are held open, and their rooms. */
  readonly #held = new Map<string, { release: () => void; done: Promise<void> }>();
  readonly #holds: boolean;

  constructor(chat: Chat, users: readonly string[], random: () => number, holds: boolean) {
    this.#chat = chat;
    this.#users = users;
    this.#random = random;
    this.#holds = holds;
  }

  async step(): Promise<void> {
    const { db } = this.#chat;
    const user = pick(this.#users, this.#random);
    const other = pick(this.#users, this.#random);
    const free = this.rooms.filter((id) => !this.#held.has(id));
    const roomId = free.length === 0 ? '' : pick(free, this.#random);
    const chat = this.#chat;
    const known = this.#messages.filter((each) => !this.#held.has(each.roomId));
    const message = known.length === 0 ? undefined : pick(known, this.#random);
    const steps: (() => Promise<unknown>)[] = [
      ...range(1, 6).map(() => async () => {
        const { message } = await sendMessage(chat, user, { roomId, body: 'hello' });
        this.#messages.push({ id: message.id, roomId, by: user });
      }),
      async () => message && editMessage(chat, message.by, message.id, 'edited'),
      async () => message && deleteMessage(chat, message.by, message.id),
      () => updateRoom(chat, user, roomId, { name: `Room ${Math.floor(this.#random() * 1000)}` }),
      ...range(1, 3).map(() => () => joinRoom(chat, user, roomId)),
      () => leaveRoom(chat, user, roomId),
      ...range(1, 3).map(() => () => addMember(chat, user, roomId, other)),
      () => removeMember(chat, user, roomId, other),
      () => deleteRoom(chat, user, roomId),
      async () => {
        const kind = this.#random() < 0.5 ? 'OPEN' : 'PRIVATE';
        this.rooms.push((await createRoom(chat, user, { kind, name: 'New', memberIds: other === user ? [] : [other] })).id);
      },
      async () => {
        const { room, created } = await openDirectRoom(chat, user, other, null);
        if (created) this.rooms.push(room.id);
      },
      async () => {
        const readSeq = Math.floor(this.#random() * 100);
        await changeMembership(chat, user, roomId, { readSeq, readNumber: readSeq });
      },
      () => changeMembership(chat, user, roomId, { mutedUntil: this.#random() < 0.5 ? new Date(Date.now() + 3_600_000) : null }),
      async () => {
        if (!this.#holds || this.#held.size >= 2 || roomId === '') return;
        this.#hold(db, roomId);
      },
      async () => {
        const [first] = this.#held.keys();
        if (first !== undefined) await this.#release(first);
      },
    ];
    await tried(pick(steps, this.#random)());
    // The markers of senders move in the background, and a fresh page may be read before an event of them.
    await chat.senderMarkers.flush();
  }

  async releaseAll(): Promise<void> {
    for (const roomId of [...this.#held.keys()]) await this.#release(roomId);
  }

  /** Changes a room in a transaction that commits later. */
  #hold(db: Db, roomId: string): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = db.transaction().execute(async (trx) => {
      const room: LockedRoom | undefined = await lockRoom(trx, roomId);
      if (room && room.row.deletedAt === null) await room.append({ type: 'RoomUpdated' }, { name: 'Held' });
      await promise;
    });
    this.#held.set(roomId, { release: resolve, done });
  }

  async #release(roomId: string): Promise<void> {
    const held = this.#held.get(roomId);
    held?.release();
    await held?.done;
    this.#held.delete(roomId);
    this.#chat.announce();
  }
}

for (const storage of storages) {
  describe(`account streams on ${storage}`, () => {
    let opened: TestStorage;
    let db: Db;
    before(async () => {
      opened = await openTestStorage(storage);
      ({ db } = opened);
    });
    after(() => opened[Symbol.asyncDispose]());

    it('converge to a fresh page, and equal it at ViewerCaughtUp', { timeout: 120_000 }, async (test) => {
      const seed = chooseSeed(`account streams on ${storage}`);
      const random = randomFrom(seed);
      await using bus = new FickleBus();
      bus.healthy = false;
      const chat = chatOn(db, bus);
      using here = await Node.open(opened, bus);
      using there = await Node.open(opened, bus);
      const users = await Promise.all(range(1, 4).map(async (i) => (await createGuest(db, `User ${i}`)).id));
      const traffic = new Traffic(chat, users, random, storage === 'PostgreSQL');
      test.after(() => traffic.releaseAll());
      const shown: Shown[] = [];
      const readers = users.flatMap((userId) =>
        [here, there].flatMap((node) =>
          [true, false].map((isShared) => {
            const onEvent = (event: AccountEvent) => {
              if ('row' in event) shown.push({ userId, roomId: event.roomId, revision: event.row.headSeq });
            };
            const options: ReaderOptions = { isShared, onEvent, includeMuted: true };
            return new ListReader(db, userId, () => node.accounts, options);
          }),
        ),
      );
      for (const reader of readers) await reader.catchUp();
      for (let i = 0; i < 250; i += 1) {
        await traffic.step();
        const reader = pick(readers, random);
        const choice = random();
        if (choice < 0.15 && reader.isOpen) reader.take(Math.floor(random() * 4));
        else if (choice < 0.3) reader.take(Number.POSITIVE_INFINITY);
        else if (choice < 0.45 && reader.isOpen) await reader.cut();
        else if (choice < 0.6 && !reader.isOpen) {
          reader.take(Number.POSITIVE_INFINITY);
          await reader.catchUp();
          assert.deepEqual(reader.list, await freshList(db, reader.userId), 'at ViewerCaughtUp');
        }
      }
      await traffic.releaseAll();
      for (const reader of readers) {
        if (reader.error) throw reader.error;
        reader.take(Number.POSITIVE_INFINITY);
        if (!reader.isOpen) await reader.catchUp();
      }
      for (const reader of readers) {
        const fresh = JSON.stringify(await freshList(db, reader.userId));
        await until('the list equals a fresh page', () => {
          if (reader.error) throw reader.error;
          return JSON.stringify(reader.list) === fresh;
        }).catch(async (error) => {
          assert.deepEqual(reader.list, await freshList(db, reader.userId));
          throw error;
        });
      }
      await assertShownToMembers(db, shown);
      for (const reader of readers) {
        await reader.cut();
        const before = reader.events.length;
        await reader.catchUp();
        assert.deepEqual(reader.list, await freshList(db, reader.userId));
        assert.ok(reader.events.length - before < 20, 'only the last tick is told again');
        await reader.cut();
      }
    });
  });
}
