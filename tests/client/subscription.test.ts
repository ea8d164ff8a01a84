// A subscription against a scripted server: whatever fails in an attempt, the next one continues after the last delivered
// event.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCode } from '../../src/client/error-code.ts';
import type { Sink } from '../../src/client/subscriber.ts';
import { until } from '../support/process.ts';
import { range } from '../support/storage.ts';
import { messageAdded, roomEvents, Watcher } from '../support/ways.ts';
import { eventOf, fields, ScriptedServer, type Step } from './scripted-server.ts';

const queries = { roomEvents, messageAdded };
const errorsWith = (code: string) => [{ message: `Failed with ${code}.`, extensions: { code } }];

const finalCodes = ['BAD_USER_INPUT', 'CONFLICT', 'CURSOR_EXPIRED', 'CURSOR_INVALID', 'FORBIDDEN', 'NOT_FOUND'];

const resultsWithoutEvent: Record<string, unknown> = {
  'null data and INTERNAL': { data: null, errors: errorsWith('INTERNAL') },
  'null data and UNAVAILABLE': { data: null, errors: errorsWith('UNAVAILABLE') },
  'null data and a code of a later version': { data: null, errors: errorsWith('OF_A_LATER_VERSION') },
  'null data and an error without extensions': { data: null, errors: [{ message: 'Failed.' }] },
  'null data and no errors': { data: null, errors: [] },
  'a null root field': { data: { roomEvents: null, messageAdded: null } },
  'a null root field and INTERNAL': { data: { roomEvents: null, messageAdded: null }, errors: errorsWith('INTERNAL') },
  'errors and no data': { errors: errorsWith('INTERNAL') },
  'neither data nor errors': {},
  'empty data': { data: {} },
  'data of another type': { data: 7, errors: 'Failed.' },
  null: null,
  'a string': 'Failed.',
};

const unreadable = {
  get code() {
    throw new Error('This cannot be read.');
  },
};
const passingErrors: Record<string, unknown> = {
  'a close of the socket with 1006': { code: 1006, reason: '' },
  'a close of the socket with 1011': { code: 1011, reason: 'Internal error' },
  'a close of the socket with an unknown code': { code: 4999, reason: 'New' },
  'an Error': new Error('The network failed.'),
  undefined,
  null: null,
  'a string': 'Failed.',
  'a number': 4403,
  'a symbol': Symbol('Failed'),
  'an object whose properties cannot be read': unreadable,
  'an empty array': [],
  INTERNAL: errorsWith('INTERNAL'),
  UNAVAILABLE: errorsWith('UNAVAILABLE'),
  RATE_LIMITED: errorsWith('RATE_LIMITED'),
  'a code of a later version': errorsWith('OF_A_LATER_VERSION'),
};

const backoff = { firstMs: 0, maxMs: 0 };

for (const field of fields) {
  describe(`a subscription to ${field}`, () => {
    /** Runs the script, and checks that all five events are delivered, in order, by as many attempts as the script has and one more. */
    const assertDelivered = async (script: readonly (readonly Step[])[], afters: readonly unknown[], synchronous = false) => {
      const server = new ScriptedServer({ field, script, logLength: 5, synchronous });
      using watcher = new Watcher(server, { query: queries[field], variables: {} }, { backoff });
      await until('all events arrive', () => watcher.numbers.length >= 5 && watcher.live);
      assert.deepEqual([watcher.numbers, watcher.ends], [range(1, 5), []]);
      assert.deepEqual(server.afters, afters);
      assert.deepEqual(server.unsubscribed, range(0, script.length - 1), 'each broken attempt was unsubscribed');
    };

    for (const [what, result] of Object.entries(resultsWithoutEvent)) {
      it(`resumes after the last event if a result has ${what}`, async () => {
        for (const synchronous of [true, false]) {
          await assertDelivered([[1, { result }, 3]], [undefined, '1'], synchronous);
          await assertDelivered([[1, { result }, 'complete']], [undefined, '1'], synchronous);
          await assertDelivered([[1, { result }, { error: new Error('The stream was cut off.') }]], [undefined, '1'], synchronous);
          await assertDelivered([[1, 2, { result }, { result }, 4, { result }, 'complete']], [undefined, '2'], synchronous);
          await assertDelivered(
            [
              [1, { result }, 3],
              [{ result }, 3],
              [2, 3, { result }, 5],
            ],
            [undefined, '1', '1', '3'],
            synchronous,
          );
        }
      });
    }

    for (const [what, error] of Object.entries(passingErrors)) {
      it(`resumes after the last event if an attempt fails with ${what}`, async () => {
        await assertDelivered([[1, { error }], [{ error }], [2, 3, { error }]], [undefined, '1', '1', '3']);
      });
    }

    it('delivers an event that has errors beside it, and resumes after it', async () => {
      const partial = { result: { ...eventOf(field, 2), errors: errorsWith('INTERNAL') } };
      await assertDelivered([[1, partial, { result: null }]], [undefined, '2']);
    });

    for (const code of finalCodes) {
      it(`ends with ${code}, whether a result or an error has it`, async () => {
        const errors = errorsWith(code);
        const steps: Step[] = [{ result: { data: null, errors } }, { result: { data: { [field]: null }, errors } }, { error: errors }];
        for (const step of steps) {
          const server = new ScriptedServer({ field, script: [[1, step, 'complete']], logLength: 5 });
          using watcher = new Watcher(server, { query: queries[field], variables: {} }, { backoff });
          await until('it was unsubscribed', () => server.unsubscribed.length > 0);
          assert.deepEqual([watcher.numbers, watcher.ends.map(errorCode)], [[1], [code]]);
          assert.equal(watcher.statuses.at(-1) === 'expired', code === 'CURSOR_EXPIRED');
          assert.equal(server.afters.length, 1);
        }
      });
    }

    it('renews the token and resumes if a result has UNAUTHENTICATED', async () => {
      const refused = { result: { data: null, errors: errorsWith('UNAUTHENTICATED') } };
      const server = new ScriptedServer({
        field,
        script: [
          [refused, 'complete'],
          [1, 2, refused],
        ],
        logLength: 3,
      });
      let renewals = 0;
      const renewToken = () => {
        renewals += 1;
      };
      using watcher = new Watcher(server, { query: queries[field], variables: {} }, { backoff, renewToken });
      await until('all events arrive', () => watcher.numbers.length >= 3);
      assert.deepEqual([watcher.numbers, server.afters, renewals], [[1, 2, 3], [undefined, undefined, '2'], 2]);
    });

    it('drops repeated events, and does not move back with them', async () => {
      await assertDelivered([[1, 2, 2, 1, 3, 2, { error: new Error('The network failed.') }]], [undefined, '3']);
    });

    it('completes with the server, also if events came before', async () => {
      const server = new ScriptedServer({ field, script: [[1, 2, 'complete', 3]], logLength: 3 });
      using watcher = new Watcher(server, { query: queries[field], variables: {} }, { backoff });
      await until('it was unsubscribed', () => server.unsubscribed.length > 0);
      assert.deepEqual([watcher.numbers, watcher.ends, server.afters.length], [[1, 2], ['complete'], 1]);
    });
  });
}

describe('a subscription', () => {
  it('retries if `subscribe` of the subscriber throws', async () => {
    const server = new ScriptedServer({ field: 'roomEvents', script: [], logLength: 3 });
    const thrown = [new Error('There is no socket.'), 'Failed.', undefined];
    const subscriber = {
      subscribe(payload: never, sink: Sink<unknown>) {
        if (thrown.length > 0) throw thrown.shift();
        return server.subscribe(payload, sink);
      },
    };
    const breaks: unknown[] = [];
    using watcher = new Watcher(
      subscriber,
      { query: roomEvents, variables: {} },
      { backoff, onBreak: (error: unknown) => breaks.push(error) },
    );
    await until('all events arrive', () => watcher.live);
    assert.deepEqual(
      [watcher.numbers, watcher.ends, breaks.map(String)],
      [[1, 2, 3], [], ['Error: There is no socket.', 'Failed.', 'undefined']],
    );
  });

  it('tells onBreak why a result without an event broke it', async () => {
    const script = [[{ result: { data: null, errors: errorsWith('INTERNAL') } }], [{ result: { data: { roomEvents: null } } }]];
    const server = new ScriptedServer({ field: 'roomEvents', script, logLength: 1 });
    const breaks: unknown[] = [];
    using watcher = new Watcher(server, { query: roomEvents, variables: {} }, { backoff, onBreak: (error) => breaks.push(error) });
    await until('it is live', () => watcher.live);
    assert.deepEqual(breaks.map(errorCode), ['INTERNAL', undefined]);
    assert.match(String(breaks[1]), /contains no event/);
  });

  it('sends the current position if the subscriber reconnects by itself, and leaves the variables of the caller alone', () => {
    const payloads: { variables: { after?: string } }[] = [];
    const sinks: Sink[] = [];
    const subscriber = {
      subscribe: (payload: (typeof payloads)[0], sink: Sink) => {
        payloads.push(payload);
        sinks.push(sink);
        return () => {};
      },
    };
    const variables = { roomId: 'room', after: 'page' };
    using _ = new Watcher(subscriber, { query: messageAdded, variables });
    sinks[0]?.next(eventOf('messageAdded', 1));
    assert.equal(payloads[0]?.variables.after, '1');
    assert.equal(variables.after, 'page');
  });

  it('leaves no timer when a callback ends it during a break', async () => {
    for (const callback of ['onBreak', 'renewToken', 'onStatus'] as const) {
      const server = new ScriptedServer({
        field: 'roomEvents',
        script: [[1, { error: errorsWith('UNAUTHENTICATED') }]],
        logLength: 1,
        synchronous: false,
      });
      let watcher: Watcher | undefined;
      let calls = 0;
      const end = () => {
        calls += 1;
        watcher?.[Symbol.dispose]();
      };
      const options = { backoff: { firstMs: 60_000, maxMs: 60_000 }, renewToken: () => {}, [callback]: end };
      const timersBefore = countTimers();
      watcher = new Watcher(server, { query: roomEvents, variables: {} }, options);
      calls = 0;
      await until('the callback was called', () => calls > 0 && server.unsubscribed.length > 0);
      await new Promise(setImmediate);
      assert.deepEqual([watcher.ends, server.afters.length, countTimers()], [[], 1, timersBefore], callback);
    }
  });
});

const countTimers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
