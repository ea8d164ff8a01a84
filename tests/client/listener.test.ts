// Callbacks that throw: the error is reported as an uncaught exception, and the subscription goes on.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventStreams } from '../../src/client/event-streams.ts';
import { resumable } from '../../src/client/resumable.ts';
import type { ResumableOptions, ResumableSink } from '../../src/client/subscription.ts';
import { run, until } from '../support/process.ts';
import { roomEvents } from '../support/ways.ts';
import { ScriptedServer, type Step } from './scripted-server.ts';

const failure = new Error('The callback failed.');
const unauthenticated: Step = { error: [{ message: 'The token has expired.', extensions: { code: 'UNAUTHENTICATED' } }] };
const fail = () => {
  throw failure;
};

/** Subscribes with a callback that throws at each call. Returns the numbers of the events and how it ended. */
function watch(script: readonly (readonly Step[])[], callbacks: Partial<ResumableSink> & ResumableOptions) {
  const server = new ScriptedServer({ field: 'roomEvents', script, logLength: 3, synchronous: false });
  const seen: unknown[] = [];
  const { next, error, complete, status, ...options } = callbacks;
  const end = resumable(server, { backoff: { firstMs: 0, maxMs: 0 }, ...options }).subscribe(
    { query: roomEvents, variables: {} },
    {
      next(result) {
        const { cursor, __typename } = (result.data?.['roomEvents'] ?? {}) as { cursor?: string; __typename?: string };
        seen.push(__typename === 'CaughtUp' ? 'live' : Number(cursor));
        next?.(result);
      },
      error(thrown) {
        seen.push(thrown);
        error?.(thrown);
      },
      complete() {
        seen.push('complete');
        complete?.();
      },
      status: status ?? (() => {}),
    },
  );
  return { seen, server, [Symbol.dispose]: end };
}

describe('a callback that throws', () => {
  let reported: unknown[];
  beforeEach(() => {
    reported = [];
    Object.assign(globalThis, { reportError: (error: unknown) => reported.push(error) });
  });
  afterEach(() => Reflect.deleteProperty(globalThis, 'reportError'));

  const aBreak: Step = { error: new Error('The network failed.') };
  for (const callback of ['onStatus', 'onBreak', 'next', 'status'] as const) {
    it(`is reported, and loses and repeats nothing: ${callback}`, async () => {
      using watching = watch(
        [
          [1, aBreak],
          [2, aBreak],
        ],
        { [callback]: fail },
      );
      await until('it is live', () => watching.seen.includes('live'));
      assert.deepEqual(
        [watching.seen, watching.server.afters],
        [
          [1, 2, 3, 'live'],
          [undefined, '1', '2'],
        ],
      );
      assert.ok(reported.length >= 2, `${reported.length} calls were reported`);
      assert.ok(reported.every((error) => error === failure));
    });
  }

  it('is reported, and the end is told once: error', async () => {
    const refused: Step = { error: [{ message: 'There is no such room.', extensions: { code: 'NOT_FOUND' } }] };
    using watching = watch([[1, refused]], { error: fail });
    await until('it was unsubscribed', () => watching.server.unsubscribed.length > 0);
    assert.deepEqual([watching.seen.length, reported], [2, [failure]]);
  });

  it('is reported, and the end is told once: complete', async () => {
    using watching = watch([[1, 'complete']], { complete: fail });
    await until('it was unsubscribed', () => watching.server.unsubscribed.length > 0);
    assert.deepEqual([watching.seen, reported], [[1, 'complete'], [failure]]);
  });

  it('is called again if it is renewToken, whether it throws or rejects, and the subscription resumes', async () => {
    for (const failing of [fail, async () => fail()]) {
      let calls = 0;
      const broken: unknown[] = [];
      const renewToken = () => {
        calls += 1;
        return calls < 4 ? failing() : undefined;
      };
      using watching = watch([[1, unauthenticated]], { renewToken, onBreak: (error) => broken.push(error) });
      await until('it has resumed', () => watching.server.afters.length > 1);
      assert.deepEqual([watching.seen[0], calls, broken.slice(1), reported], [1, 4, [failure, failure, failure], []]);
    }
  });

  it('ends the subscription if it is renewToken and its error is final', async () => {
    for (const code of ['UNAUTHENTICATED', 'FORBIDDEN']) {
      const refusal = [{ message: 'no', extensions: { code } }];
      const statuses: string[] = [];
      const renewToken = () => Promise.reject(refusal);
      using watching = watch([[1, unauthenticated]], { renewToken, onStatus: (status) => statuses.push(status) });
      await until('it has ended', () => watching.seen.length > 1);
      assert.deepEqual([watching.seen, statuses.at(-1)], [[1, refusal], 'refused']);
    }
  });

  it('is called with its sink or options as `this`', async () => {
    const owners: unknown[] = [];
    const sink: ResumableSink = {
      next() {
        owners.push(this);
      },
      status() {
        owners.push(this);
      },
      error: fail,
      complete: fail,
    };
    const server = new ScriptedServer({ field: 'roomEvents', script: [], logLength: 1 });
    const end = resumable(server).subscribe({ query: roomEvents, variables: {} }, sink);
    end();
    assert.ok(owners.length > 2 && owners.every((owner) => owner === sink));
  });

  it('is reported by a stream without resuming too, and the stream goes on', async () => {
    const events = ['event: next\ndata: {"data":{"n":1}}\n\n', 'event: next\ndata: {"data":{"n":2}}\n\n', 'event: complete\ndata: \n\n'];
    const response = new Response(events.join(''), { headers: { 'content-type': 'text/event-stream' } });
    const calls: string[] = [];
    const failAfter = (call: string) => () => {
      calls.push(call);
      fail();
    };
    eventStreams({ url: 'http://localhost', fetch: async () => response }).subscribe(
      { query: '' },
      { next: failAfter('next'), error: failAfter('error'), complete: failAfter('complete') },
    );
    await until('it is over', () => reported.length >= 3);
    assert.deepEqual(
      [calls, reported],
      [
        ['next', 'next', 'complete'],
        [failure, failure, failure],
      ],
    );
  });
});

it('a callback that throws in Node is an uncaught exception, after which the next call works', async () => {
  const module = JSON.stringify(join(import.meta.dirname, '../../src/client/listener.ts'));
  const program = `import { callListener } from ${module};
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    callListener(() => { throw new Error('first'); });
    callListener(() => console.log('second'));`;
  assert.equal(await run(process.execPath, ['--input-type=module', '-e', program]), 'second\nuncaught first\n');
});
