// A list that starts with a page and applies every later event equals a new page, in whatever order the states of rooms and
// memberships arrive, and however often.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeletedNumber } from '../../src/client/room-count.ts';
import {
  addViewerPage,
  applyViewerEvent,
  applyViewerStatus,
  openViewerList,
  type ViewerEventLike,
  type ViewerList,
} from '../../src/client/viewer-list.ts';
import { chooseSeed, pick, randomFrom } from '../support/random.ts';
import { range } from '../support/storage.ts';
import { type Sent, type ShownRoom, SimulatedAccount, viewerId } from './simulated-account.ts';

type List = ViewerList<ShownRoom>;
type Event = ViewerEventLike<ShownRoom>;

const eventOf = ({ type, ...sent }: Sent, cursor: string): Event => ({ __typename: type, cursor, ...sent });

const isState = ({ type }: Sent) => type === 'ViewerRoomChanged' || type === 'ViewerMembershipChanged';

/** A viewer whose stream delivers what the account sends: late, and partly out of order and repeated. */
class SimulatedViewer {
  readonly account: SimulatedAccount;
  list: List;
  readonly #random: () => number;
  #underWay: Sent[] = [];
  /** States that were delivered and may be repeated. */
  #delivered: Sent[] = [];
  /** Everything up to here was delivered. */
  #cursor: number;
  readonly kinds = new Set<string>();

  constructor(random: () => number) {
    this.#random = random;
    this.account = new SimulatedAccount(random);
    this.#cursor = this.account.order;
    this.list = openViewerList({ viewerId, rooms: this.account.page(), syncCursor: String(this.#cursor) });
  }

  send(): void {
    this.#underWay.push(...this.account.execute());
  }

  /** Delivers one event. What the viewer is sent alone stays in order, and so does everything about a room that is added or removed. */
  deliver(): void {
    const isNext = (sent: Sent, at: number) =>
      this.#underWay
        .slice(0, at)
        .every(
          (before) =>
            before.roomId !== sent.roomId || (isState(before) && isState(sent) && before.type !== sent.type) || isChange(sent, before),
        );
    const able = this.#underWay.filter(isNext);
    if (able.length === 0) return;
    const sent = pick(able, this.#random);
    this.#underWay = this.#underWay.filter((each) => each !== sent);
    this.#apply(this.account.readLast(sent));
  }

  /** Delivers a state again. Of two memberships of the same marker, the later is the newer, so only the last may be repeated. */
  repeat(): void {
    const last = new Map(this.#delivered.filter(({ membership }) => membership).map((sent) => [sent.roomId, sent]));
    const able = this.#delivered.filter((sent) => sent.type === 'ViewerRoomChanged' || last.get(sent.roomId) === sent);
    if (able.length > 0) this.#apply(pick(able, this.#random));
  }

  deliverAll(): void {
    while (this.#underWay.length > 0) this.deliver();
  }

  /** Everything has been delivered. */
  settle(): void {
    this.account.settle();
    this.send();
    this.deliverAll();
    this.#cursor = this.account.order;
  }

  breakOff(): void {
    this.#underWay = [];
    this.#delivered = [];
    this.list = applyViewerStatus(this.list, 'connecting');
  }

  comeBack(complete: boolean): void {
    for (const sent of this.account.catchUp(this.#cursor, complete)) this.#apply(sent);
    this.#cursor = this.account.order;
  }

  assertTrue(what: string): void {
    assert.deepEqual(this.list.rooms, this.account.page(), what);
    assert.deepEqual(this.list.unread, this.account.totals(), what);
  }

  #apply(sent: Sent): void {
    this.kinds.add(sent.type);
    if (!isState(sent)) this.#delivered = this.#delivered.filter(({ roomId }) => roomId !== sent.roomId);
    else this.#delivered.push(sent);
    const before = structuredClone(this.list);
    const now = applyViewerEvent(this.list, eventOf(sent, String(this.#cursor)));
    assert.deepEqual(this.list, before, 'the list is not changed in place');
    this.list = now;
  }
}

const isChange = (...sent: Sent[]) => sent.every(({ type }) => type === 'ViewerRoomChanged');

describe('applyViewerEvent', () => {
  it('keeps the list equal to a new page, over random histories', () => {
    const seed = chooseSeed('lists of rooms');
    const kinds = new Set<string>();
    for (const history of range(1, 150)) {
      const random = randomFrom(seed + history);
      const viewer = new SimulatedViewer(random);
      const { account } = viewer;
      let saved = account.save();
      for (const round of range(1, 12)) {
        const what = `round ${round} of history ${history} of seed ${seed}`;
        for (const _ of range(1, 15)) {
          account.act();
          if (random() < 0.5) viewer.send();
          if (random() < 0.5) viewer.deliver();
          if (random() < 0.2) viewer.repeat();
        }
        if (random() < 0.6) viewer.settle();
        else {
          viewer.breakOff();
          const isRolledBack = random() < 0.5;
          if (isRolledBack) account.restore(saved);
          for (const _ of range(1, 5)) account.act();
          account.settle();
          viewer.comeBack(isRolledBack);
        }
        viewer.assertTrue(what);
        if (random() < 0.5) saved = account.save();
      }
      for (const kind of viewer.kinds) kinds.add(kind);
    }
    assert.equal(kinds.size, 5, String([...kinds]));
  });
});

const at = '2026-01-01T00:00:00.000Z';
const later = '2026-01-01T00:00:01.000Z';
const membership = (revision: number, changes: Partial<NonNullable<ShownRoom['viewerMembership']>> = {}) => ({
  ...{ unreadCount: 0, readThrough: 0, readVersion: 0, mutedUntil: null },
  room: { revision, talkCount: revision },
  ...changes,
});
const room = (id: string, revision: number, changes: Partial<ShownRoom> = {}): ShownRoom => ({
  ...{ id, name: id, lastActiveAt: at, revision, talkCount: revision, lastMessage: null },
  viewerMembership: membership(revision),
  ...changes,
});
const changed = (id: string, revision: number, changes: Partial<ShownRoom> = {}, deleted: Event['deleted'] = []): Event => {
  const { viewerMembership: _, ...shown } = room(id, revision, changes);
  return { __typename: 'ViewerRoomChanged', cursor: 'next', at: later, roomId: id, room: shown, deleted };
};
const unreadIn = (list: List, ...events: Event[]) =>
  events.reduce(applyViewerEvent<ShownRoom>, list).rooms.map(({ viewerMembership }) => viewerMembership?.unreadCount);
const open = (...rooms: ShownRoom[]) => openViewerList({ viewerId, rooms, syncCursor: 'page' });
const marker = (revision: number, changes: Parameters<typeof membership>[1] = {}): Event => ({
  ...{ __typename: 'ViewerMembershipChanged', cursor: 'next', at: later, roomId: 'a' },
  membership: membership(revision, changes),
});
const lastBy = (sender: string, number: number) => ({ lastMessage: { number, sender: { id: sender } } });

describe('the count of a room', () => {
  it('grows by the messages that were sent since', () => {
    assert.deepEqual(unreadIn(open(room('a', 5)), changed('a', 8)), [3]);
  });

  it('is the same if an event is repeated, or an older one arrives late', () => {
    const deletion = [{ number: 6, revision: 8 }];
    const newest = changed('a', 8, { talkCount: 7 }, deletion);
    assert.deepEqual(unreadIn(open(room('a', 5)), newest, newest, changed('a', 6), newest), [1]);
  });

  it('falls by a deleted message that was unread, and by no other', () => {
    const read = { viewerMembership: membership(9, { unreadCount: 3, readThrough: 6 }) };
    const deletions = [6, 7].map((number, i) => ({ number, revision: 10 + i }));
    assert.deepEqual(unreadIn(open(room('a', 9, read)), changed('a', 11, { talkCount: 9 }, deletions)), [2]);
    assert.deepEqual(unreadIn(open(room('a', 12, read)), changed('a', 12, {}, deletions)), [3 + 3 - 1], 'counted at revision 9');
  });

  it('does not count the newest message if it is the viewer’s, until the marker follows', () => {
    const list = open(room('a', 5));
    assert.deepEqual(unreadIn(list, changed('a', 6, lastBy(viewerId, 6))), [0]);
    assert.deepEqual(unreadIn(list, changed('a', 6, lastBy(viewerId, 6)), changed('a', 7, lastBy('somebody', 7))), [1]);
    assert.deepEqual(unreadIn(list, changed('a', 6, lastBy(viewerId, 6)), changed('a', 7, lastBy('somebody', 7)), marker(6)), [1]);
  });

  it('counts a message of somebody else whose deletion shows an older one of the viewer', () => {
    const list = open(room('a', 5, lastBy(viewerId, 5)));
    const deletion = [{ number: 6, revision: 7 }];
    assert.deepEqual(unreadIn(list, changed('a', 7, { talkCount: 6, ...lastBy(viewerId, 5) }, deletion)), [0]);
    // The last message was read after the rest: the deletion of number 6 follows.
    const early = changed('a', 6, lastBy(viewerId, 5));
    assert.deepEqual(unreadIn(list, early, changed('a', 8, { talkCount: 7, ...lastBy('somebody', 7) }, deletion)), [1]);
  });

  it('takes a marker that was executed before a state of the room that has arrived', () => {
    const events = [changed('a', 8, { talkCount: 7 }, [{ number: 7, revision: 8 }]), marker(6, { unreadCount: 1, readThrough: 5 })];
    assert.deepEqual(unreadIn(open(room('a', 5)), ...events), [1]);
  });

  it('keeps a marker that is newer than one that arrives late', () => {
    const moved = marker(8, { unreadCount: 2, readThrough: 6 });
    assert.deepEqual(unreadIn(open(room('a', 5)), moved, marker(7, { unreadCount: 7 })), [2]);
    const ownIsKnown = marker(8, { unreadCount: 1 });
    assert.deepEqual(unreadIn(open(room('a', 5)), ownIsKnown, marker(7, { unreadCount: 1 })), [1], 'the marker is the same');
    const movedBack = marker(8, { unreadCount: 5, readThrough: 3, readVersion: 1 });
    assert.deepEqual(unreadIn(open(room('a', 5)), movedBack, moved), [5]);
  });
});

describe('a list of rooms', () => {
  it('is that of the server after a rollback, although what was known is newer', () => {
    const added = (id: string, revision: number): Event => ({
      __typename: 'ViewerRoomAdded',
      cursor: 'next',
      at: later,
      room: room(id, revision),
    });
    const caughtUp: Event = { __typename: 'ViewerCaughtUp', cursor: 'next', at: later, complete: true };
    const events = [added('a', 9), added('b', 9), added('a', 7), changed('a', 8), caughtUp];
    const shown = (list: List) => list.rooms.map(({ id, revision }) => `${id} ${revision}`);
    const list = applyViewerStatus(open(room('a', 5), room('c', 5)), 'connecting');
    assert.deepEqual(shown(events.slice(2).reduce(applyViewerEvent<ShownRoom>, list)), ['a 8']);
    // Without a break: what was added before is still known to be there.
    assert.deepEqual(shown(events.reduce(applyViewerEvent<ShownRoom>, list)), ['b 9', 'a 8']);
  });

  it('is in the order of the last activity', () => {
    const list = open(room('a', 1), room('b', 1), room('c', 1, { lastActiveAt: later }));
    const ids = ({ rooms }: List) => rooms.map(({ id }) => id);
    assert.deepEqual(ids(list), ['c', 'b', 'a']);
    assert.deepEqual(ids(applyViewerEvent(list, changed('a', 2, { lastActiveAt: '2026-01-01T00:00:02.000Z' }))), ['a', 'c', 'b']);
  });

  it('leaves muted rooms out of the totals until the mute ends', () => {
    const list = open(room('a', 1), room('b', 1));
    const muted = applyViewerEvent(list, { ...marker(3, { unreadCount: 2, mutedUntil: '2026-01-01T01:00:00.000Z' }) });
    const moved = applyViewerEvent(muted, changed('b', 2));
    assert.deepEqual([moved.rooms.length, moved.unread], [2, { rooms: 1, messages: 1 }]);
    const ended = applyViewerEvent(moved, { ...changed('b', 2), at: '2026-01-01T01:00:00.000Z' });
    assert.deepEqual(ended.unread, { rooms: 2, messages: 3 });
  });

  it('keeps the totals of rooms that are not loaded, and names those that change', () => {
    const unreadRoom = (id: string) => room(id, 3, { viewerMembership: membership(3, { unreadCount: 2 }) });
    const first = { viewerId, rooms: [unreadRoom('c')], syncCursor: 'page', hasNextPage: true, unread: { rooms: 3, messages: 6 } };
    const list = openViewerList(first);
    assert.deepEqual(list.unread, first.unread);
    const moved = applyViewerEvent(applyViewerEvent(list, changed('a', 4)), changed('c', 4));
    assert.deepEqual([moved.missing, moved.unread], [['a'], { rooms: 3, messages: 7 }]);
    const all = addViewerPage(moved, { rooms: [unreadRoom('b'), room('a', 4, { viewerMembership: membership(4, { unreadCount: 3 }) })] });
    assert.deepEqual([all.missing, all.unread], [[], { rooms: 3, messages: 8 }]);
  });

  it('takes only the cursor from an event of an unknown type', () => {
    const list = open(room('a', 1));
    assert.deepEqual(applyViewerEvent(list, { __typename: 'ViewerNamed', cursor: 'next', at }), { ...list, cursor: 'next' });
  });

  it('ignores a room that the viewer has left before the event was executed', () => {
    const list = open(room('a', 1));
    const added: Event = { __typename: 'ViewerRoomAdded', cursor: 'next', at, room: room('b', 1, { viewerMembership: null }) };
    assert.deepEqual(applyViewerEvent(list, added).rooms, list.rooms);
  });

  it('names the fields that an operation has to select', () => {
    const list = open(room('a', 1));
    const { revision: _, ...withoutRevision } = room('a', 1);
    const event = { cursor: 'next', at, roomId: 'a' };
    const faults: [Event, RegExp][] = [
      [{ ...event }, /`__typename`/],
      [{ ...event, __typename: 'ViewerRoomChanged', room: withoutRevision, deleted: [] }, /ViewerRoomChanged: select `room\.revision`\.$/],
      [{ ...event, __typename: 'ViewerRoomChanged', room: room('a', 2) }, /`deleted`, `deleted\.number`, `deleted\.revision`/],
      [
        { ...event, __typename: 'ViewerRoomChanged', room: room('a', 2), deleted: [{ number: 1 } as DeletedNumber] },
        /select `deleted\.revision`\.$/,
      ],
      [
        { ...event, __typename: 'ViewerMembershipChanged', membership: { unreadCount: 1 } },
        /`membership\.readThrough`, .*`membership\.room\.talkCount`/,
      ],
      [{ ...event, __typename: 'ViewerCaughtUp' }, /`complete`/],
    ];
    for (const [each, message] of faults) assert.throws(() => applyViewerEvent(list, each), { name: 'TypeError', message });
    assert.throws(() => open(withoutRevision as ShownRoom), /Room: select `revision`\./);
  });
});
