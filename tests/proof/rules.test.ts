// The rules of the checker that leave something open: what excuses a delay, how a message that was changed may have
// read, and to whom an entry is a leak.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { check } from '../../proof/checker.ts';
import type { FinalEntry, FinalRoom, Line } from '../../proof/history.ts';

const bounds = { delayMs: 1000, healedMs: 500 };
const room = 'room_1';
const key = 'key-1';
const first: FinalEntry = { cursor: 'c1', event: 'MessageAdded', message: { id: 'msg_1', number: 1, body: `${key} in the end` } };
const finalOf = (...after: FinalEntry[]): FinalRoom => ({
  room,
  log: [first, ...after],
  messages: [{ ...(first.message as NonNullable<typeof first.message>), cursor: 'c1', key }],
});

const open = (at: number, watcher = 'w', after = 'c0'): Line => ({ type: 'open', at, watcher, room, viewer: 'user_1', node: 0, after });
const end = (at: number, how: Extract<Line, { type: 'end' }>['how'] = 'lost'): Line => ({ type: 'end', at, watcher: 'w', how, why: '' });
const invoke = (at: number): Line => ({ type: 'invoke', at, attempt: 1, key, writer: 'writer', room, node: 0 });
const ok = (at: number): Line => ({ type: 'ok', at, attempt: 1, key, id: 'msg_1', number: 1, cursor: 'c1', deduplicated: false });
const sent = (at: number): Line[] => [invoke(at), ok(at)];
const seen = (at: number, entry = first, watcher = 'w'): Line => ({ type: 'event', at, watcher, room, ...entry });
const fault = (at: number, maxDelayMs?: number): Line => ({
  type: 'fault',
  at,
  fault: 'Redis killed',
  ...(maxDelayMs === undefined ? {} : { maxDelayMs }),
});
const healed = (at: number): Line => ({ type: 'healed', at, fault: 'Redis killed' });
const recovered = (at: number): Line => ({ type: 'recovered', at, fault: 'Redis killed' });

describe('a message is late', () => {
  const lateCount = (lines: Line[]) => check(lines, [finalOf()], bounds).findings.late.count;
  const cases: [string, Line[], number][] = [
    ['at its bound, which is not too late', [open(0), ...sent(0), seen(1000)], 0],
    ['after its bound', [open(0), ...sent(0), seen(1001)], 1],
    ['by its first acknowledgement, whatever its retry is answered', [open(0), ...sent(0), ...sent(900), seen(1001)], 1],
    ['not under a fault that struck before the bound', [open(0), ...sent(0), fault(900), seen(90_000), healed(90_001)], 0],
    ['under a fault that struck after the bound', [open(0), ...sent(0), fault(1100), seen(1200), healed(1300)], 1],
    ['not while a fault may still be felt', [open(0), fault(0), ...sent(10), healed(5000), seen(5500)], 0],
    ['once a fault may be felt no more', [open(0), fault(0), ...sent(10), healed(5000), seen(5501)], 1],
    ['by the ordinary bound where it was sent at the end of a fault', [open(0), fault(0), ...sent(4900), healed(5000), seen(5900)], 0],
    ['not within the bound of the fault itself', [open(0), fault(0, 2500), ...sent(10), seen(2510), healed(9000)], 0],
    ['after the bound of the fault itself', [open(0), fault(0, 2500), ...sent(10), seen(2511), healed(9000)], 1],
    ['not by the time in which the watcher had no stream', [open(0), end(1), ...sent(10), open(5000), seen(6000)], 0],
    ['by the time since the watcher came back', [open(0), end(1), ...sent(10), open(5000), seen(6001)], 1],
    ['though its watcher came back, where it was late before', [open(0), ...sent(10), end(2000), open(2001), seen(2002)], 1],
    ['not before its watcher came', [...sent(10), open(5000), seen(5010)], 0],
    [
      'not where one fault ends in the time of the next',
      [open(0), fault(0), ...sent(10), healed(5000), fault(5400), seen(50_000), healed(50_000)],
      0,
    ],
  ];
  for (const [name, lines, count] of cases) it(name, () => assert.equal(lateCount(lines), count));

  it('and the worst of a fault is of what was under way in its time', () => {
    const lines = [open(0), ...sent(0), seen(700), fault(2000), ...sent(2000), healed(3000), recovered(3250)];
    const { totals } = check(lines, [finalOf()], bounds);
    assert.equal(totals.worstDelayMs, 700);
    assert.deepEqual(totals.faults, { 'Redis killed': { times: 1, worstDelayMs: 0, worstRecoveryMs: 250, findings: 0 } });
    const under = check([open(0), ...sent(0), fault(100), seen(700), healed(800)], [finalOf()], bounds);
    assert.equal(under.totals.faults['Redis killed']?.worstDelayMs, 700);
    const later = check([open(0), fault(0), healed(100), recovered(150), ...sent(200), seen(500)], [finalOf()], bounds);
    assert.equal(later.totals.faults['Redis killed']?.worstDelayMs, 0);
  });
});

describe('a message that was changed', () => {
  const message = first.message as NonNullable<typeof first.message>;
  const edited: FinalEntry = { ...first, cursor: 'c2', event: 'MessageEdited' };
  const reading = (body: string | null, entry = first): FinalEntry => ({ ...entry, message: { ...message, body } });
  /** What the checker finds if watchers receive the entry with these bodies. */
  const differing = (log: FinalEntry[], readings: FinalEntry[]) => {
    const lines = readings.flatMap((entry, i) => [open(10, `w${i}`), seen(20, entry, `w${i}`)]);
    return check([...sent(0), ...lines], [finalOf(...log)], bounds).findings.differing.count;
  };
  it('may have its earlier body, for those who received its entry by then', () => {
    assert.equal(differing([edited], [reading(`${key} at first`), reading(`${key} at first`), first]), 0);
  });
  it('reads in the end as it does at its last change', () => {
    const lines = [open(10), seen(20), seen(20, reading(`${key} at first`, edited))];
    assert.equal(check([...sent(0), ...lines], [finalOf(edited)], bounds).findings.differing.count, 1);
  });
  it('has no more readings than its changes have given it', () => {
    assert.equal(differing([edited], [reading(`${key} at first`), reading(`${key} otherwise`)]), 1);
  });
  it('is not empty where it was never deleted', () => assert.equal(differing([edited], [reading(null)]), 1));
  it('reads as it does in the end where nothing has changed it', () => assert.equal(differing([], [reading(`${key} at first`)]), 1));
});

describe('an entry after the one that took the right', () => {
  const left: FinalEntry = { cursor: 'c2', event: 'MemberLeft', userId: 'user_1' };
  const joined: FinalEntry = { ...left, cursor: 'c4', event: 'MemberJoined' };
  const between: FinalEntry = { ...first, cursor: 'c3' };
  const log = (...back: FinalEntry[]): FinalRoom[] => [{ ...finalOf(), log: [{ ...first, event: 'RoomUpdated' }, left, between, ...back] }];
  const leakedIn = (rooms: FinalRoom[], lines: Line[]) => check(lines, rooms, bounds).findings.leaked.count;

  it('is a leak to whoever never had it back', () => assert.equal(leakedIn(log(), [open(0), ...sent(10), seen(20, between)]), 1));
  it('is none in an OPEN room', () => {
    const rooms = log().map((each) => ({ ...each, kind: 'OPEN' as const }));
    assert.equal(leakedIn(rooms, [open(0), ...sent(10), seen(20, between)]), 0);
  });
  it('is a leak to a stream from before it, though the right was given back later', () => {
    assert.equal(leakedIn(log(joined), [open(0), ...sent(10), seen(20, between)]), 1);
  });
  it('is none to a stream that was opened once the right was back', () => {
    assert.equal(leakedIn(log(joined), [...sent(10), open(20), seen(30, between)]), 0);
  });
  it('is owed to nobody who was refused, nor to whom the stream was completed', () => {
    const unseen = (lines: Line[]) => check(lines, log(), bounds).findings.unseen.count;
    assert.equal(unseen([...sent(0), open(10), end(20, 'error')]), 0);
    assert.equal(unseen([...sent(0), open(10), seen(20, { ...first, event: 'RoomUpdated' }), seen(20, left), end(20, 'complete')]), 0);
    assert.equal(unseen([...sent(0), open(10), seen(20, { ...first, event: 'RoomUpdated' }), end(20, 'complete')]), 1);
    assert.equal(unseen([...sent(0), open(10), seen(20, { ...first, event: 'RoomUpdated' }), end(20, 'lost')]), 1);
  });
});

describe('a watcher', () => {
  const unseen = (lines: Line[]) => check([...sent(0), ...lines], [finalOf()], bounds).findings.unseen.count;
  it('that was refused though it had the right is owed all the same', () => assert.equal(unseen([open(10), end(20, 'error')]), 1));
  it('that was completed though the room goes on is owed all the same', () => assert.equal(unseen([open(10), end(20, 'complete')]), 1));
  it('that stopped by itself is owed no more', () => assert.equal(unseen([open(10), end(20, 'stopped')]), 0));
});

describe('a history that cannot be', () => {
  const cases: [string, Line[]][] = [
    ['an event to a watcher who never asked', [seen(0)]],
    ['an answer to what was never asked', [ok(0)]],
    ['a fault that is over before it struck', [healed(0)]],
    ['a room that nobody has read in the end', [{ ...open(0), room: 'room_2' } as Line]],
  ];
  for (const [name, lines] of cases)
    it(`is refused: ${name}`, () => assert.throws(() => check(lines, [finalOf()], bounds), /The history is broken/));
});
