// The checker on sound runs, in which it must find nothing, and on the same runs with one thing wrong.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Verdict, verdictNames } from '../../proof/check/verdicts.ts';
import { check } from '../../proof/checker.ts';
import type { FinalRoom, Line } from '../../proof/history.ts';
import { randomFrom } from '../support/random.ts';
import { anomalies, type Choose } from './anomalies.ts';
import { bounds, type Plan, type Run, simulate } from './sound-run.ts';

const plans: fc.Arbitrary<Plan> = fc.record({
  seed: fc.nat(),
  rooms: fc.integer({ min: 1, max: 4 }),
  watchersOfRoom: fc.integer({ min: 1, max: 4 }),
  rounds: fc.integer({ min: 1, max: 200 }),
});

/** The verdicts that the checker finds, with examples for the message of a failure. */
function judge({ lines, rooms }: Run): Partial<Record<Verdict, string[]>> {
  const { findings, clean } = check(lines, rooms, bounds);
  const named = verdictNames.filter((name) => findings[name].count > 0);
  assert.equal(clean, named.length === 0);
  return Object.fromEntries(named.map((name) => [name, findings[name].examples]));
}

function assertNamed(run: Run, expected: readonly Verdict[]): void {
  const found = judge(run);
  assert.deepEqual(Object.keys(found).sort(), [...expected].sort(), JSON.stringify(found, undefined, 2));
}

function chooseFrom(seed: number): Choose {
  const random = randomFrom(seed);
  return (items) => items[Math.floor(random() * items.length)];
}

describe('a sound run', () => {
  it('has no findings, whatever is sent, retried, changed, cut, resumed and delayed', () => {
    fc.assert(
      fc.property(plans, (plan) => assertNamed(simulate(plan), [])),
      { numRuns: 1000 },
    );
  });
});

describe('the checker names', () => {
  for (const { name, verdicts, plant } of anomalies) {
    it(name, () => {
      fc.assert(
        fc.property(plans, fc.nat(), (plan, seed) => {
          const run = simulate(plan);
          fc.pre(plant(run, chooseFrom(seed)));
          assertNamed(run, verdicts);
        }),
        { numRuns: 100 },
      );
    });
  }

  for (const [name, dropped] of [
    ['a key that was written twice', false],
    ['a key that was written twice and kept with neither message', true],
  ] as const) {
    it(name, () => {
      fc.assert(
        fc.property(plans, (plan) => {
          const run = simulate({ ...plan, forgetsKeys: true });
          const keys = run.rooms.flatMap(({ messages }) =>
            messages.flatMap(({ key, body }) => (key !== null && body !== null ? [key] : [])),
          );
          fc.pre(new Set(keys).size < keys.length);
          if (dropped) for (const { messages } of run.rooms) for (const message of messages) Object.assign(message, { key: null });
          assertNamed(run, ['doublePosted']);
        }),
        { numRuns: 100 },
      );
    });
  }
});

describe('a long run', () => {
  it('is judged in a time that grows with its length, and without keeping its lines', () => {
    const [messages, watchers] = [2000, 100];
    const key = (number: number) => `key-${String(number).padStart(6, '0')}`;
    const message = (number: number) => ({ id: `msg_${number}`, number, body: `${key(number)} ${'long '.repeat(100)}` });
    const numbers = Array.from({ length: messages }, (_, i) => i + 1);
    const room: FinalRoom = {
      room: 'room_1',
      log: numbers.map((number) => ({ cursor: `cursor-${number}`, event: 'MessageAdded', message: message(number) })),
      messages: numbers.map((number) => ({ ...message(number), cursor: `cursor-${number}`, key: key(number) })),
    };
    function* lines(): Generator<Line> {
      const names = Array.from({ length: watchers }, (_, i) => `w${i}`);
      for (const watcher of names) yield { type: 'open', at: 0, watcher, room: 'room_1', viewer: watcher, node: 0, after: 'cursor-0' };
      for (const at of numbers) {
        const [attempt, cursor] = [at, `cursor-${at}`];
        yield { type: 'invoke', at, attempt, key: key(at), writer: 'writer', room: 'room_1', node: 0 };
        yield { type: 'ok', at, attempt, key: key(at), id: `msg_${at}`, number: at, cursor, deduplicated: false };
        for (const watcher of names)
          yield { type: 'event', at: at + 1, watcher, room: 'room_1', event: 'MessageAdded', cursor, message: message(at) };
      }
    }
    const before = process.cpuUsage();
    const { clean, totals } = check(lines(), [room], bounds);
    const { user, system } = process.cpuUsage(before);
    assert.ok(clean);
    assert.deepEqual(totals, {
      attempts: messages,
      acknowledged: messages,
      deliveries: messages * watchers,
      watchers,
      worstDelayMs: 1,
      faults: {},
    });
    // 200,000 deliveries take about a second. Were each looked for in what came before, they would take minutes.
    assert.ok(user + system < 10_000_000, `${(user + system) / 1e6} s of CPU`);
  });
});
