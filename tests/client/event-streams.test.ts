// Event streams from an HTTP server that answers anything: each failure is reported once, and a resumable subscription
// continues after it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../../src/client/error-code.ts';
import { type EventStreamOptions, eventStreams } from '../../src/client/event-streams.ts';
import { until } from '../support/process.ts';
import { messageAdded, Watcher } from '../support/ways.ts';

const eventOf = (number: number) =>
  `event: next\nid: ${number}\ndata: {"data":{"messageAdded":{"cursor":"${number}","number":${number}}}}\n\n`;

type Answer = (response: ServerResponse, request: IncomingMessage) => unknown;

const stream: (body: string) => Answer = (body) => (response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  response.end(body);
};
const page: (status: number, type: string, body: string) => Answer = (status, type, body) => (response) => {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
};
/** Answers with the events after `after`, up to 3, and stays open. */
const follow =
  (after: number): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let number = after + 1; number <= 3; number += 1) response.write(eventOf(number));
  };

/** A server that gives each of these answers once, and then follows. */
async function serve(answers: readonly Answer[]) {
  const afters: unknown[] = [];
  const server = createServer(async (request, response) => {
    const { variables } = JSON.parse(await text(request)) as { variables: { after?: string } };
    const answer = answers[afters.length] ?? follow(Number(variables.after ?? 0));
    afters.push(variables.after);
    await answer(response, request);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    afters,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const unavailable = JSON.stringify({ errors: [{ message: 'Later.', extensions: { code: 'UNAVAILABLE', retryAfterMs: 1 } }] });

const rateLimited = (retryAfterMs: number) =>
  JSON.stringify({ errors: [{ message: 'Too many.', extensions: { code: 'RATE_LIMITED', retryAfterMs } }] });

const failures: Record<string, Answer> = {
  'data that is no JSON': stream(`${eventOf(1)}event: next\ndata: {"data":\n\n${eventOf(3)}`),
  'data that is null': stream(`${eventOf(1)}event: next\ndata: null\n\n${eventOf(3)}`),
  'an event without data': stream(`${eventOf(1)}event: next\n\n${eventOf(3)}`),
  'null data with errors, and `complete`': stream(
    `${eventOf(1)}event: next\ndata: {"data":null,"errors":[{"message":"Failed."}]}\n\nevent: complete\ndata: \n\n`,
  ),
  'an end without `complete`': stream(eventOf(1)),
  'an end within an event': stream(`${eventOf(1)}${eventOf(2).slice(0, -1)}`),
  'a connection that is reset': (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(eventOf(1), () => response.destroy());
  },
};

const refusals: Record<string, Answer> = {
  'an HTML page with status 200': page(200, 'text/html', '<h1>Sign in to the network</h1>'),
  'an HTML page with status 502': page(502, 'text/html', '<h1>Bad gateway</h1>'),
  'JSON that was cut off': page(503, 'application/json', '{"errors":['),
  'JSON that is null': page(503, 'application/json', 'null'),
  'JSON without errors': page(500, 'application/json', '{"errors":"many"}'),
  'an empty answer': (response) => response.writeHead(204).end(),
  'UNAVAILABLE with status 503': page(503, 'application/json', unavailable),
  'UNAVAILABLE with status 200': page(200, 'application/json', unavailable),
  'RATE_LIMITED with status 429': page(429, 'application/json', rateLimited(1)),
  'a redirect to nowhere': (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
};

const watch = (url: string, options: Omit<EventStreamOptions, 'url'> = {}) =>
  new Watcher(eventStreams({ url, ...options }), { query: messageAdded, variables: {} }, { backoff: { firstMs: 1, maxMs: 1 } });

describe('a resumable subscription over event streams', () => {
  for (const [what, answer] of Object.entries(failures)) {
    it(`resumes after the last event if a stream has ${what}`, async () => {
      await using server = await serve([answer]);
      using watcher = watch(server.url);
      await until('all events arrive', () => watcher.numbers.length >= 3);
      assert.deepEqual([watcher.numbers, server.afters, watcher.ends], [[1, 2, 3], [undefined, '1'], []]);
    });
  }

  for (const [what, answer] of Object.entries(refusals)) {
    it(`retries after ${what}`, async () => {
      await using server = await serve([answer]);
      using watcher = watch(server.url);
      await until('all events arrive', () => watcher.numbers.length >= 3);
      assert.deepEqual([watcher.numbers, watcher.ends], [[1, 2, 3], []]);
    });
  }

  it('waits as long as a refusal by a rate limit asks', async () => {
    await using server = await serve([page(429, 'application/json', rateLimited(400))]);
    const startMs = performance.now();
    using watcher = watch(server.url);
    await until('all events arrive', () => watcher.numbers.length >= 3);
    assert.ok(performance.now() - startMs >= 399);
  });

  it('ends with the final code of a refusal, with status 200 too', async () => {
    for (const status of [200, 404]) {
      const body = JSON.stringify({ errors: [{ message: 'There is no such room.', extensions: { code: 'NOT_FOUND' } }] });
      await using server = await serve([page(status, 'application/json', body)]);
      using watcher = watch(server.url);
      await until('it has ended', () => watcher.ends.length > 0);
      assert.deepEqual([watcher.ends.map(errorCode), server.afters.length], [['NOT_FOUND'], 1]);
    }
  });

  it('releases its connection when it ends, even if `fetch` ignores the signal', async () => {
    const released = Promise.withResolvers<void>();
    await using server = await serve([
      (response) => {
        response.once('close', released.resolve);
        follow(0)(response, response.req);
      },
    ]);
    const watcher = watch(server.url, { fetch: (url, init) => fetch(url, { ...init, signal: null }) });
    await until('all events arrive', () => watcher.numbers.length >= 3);
    watcher[Symbol.dispose]();
    await released.promise;
  });

  it('retries if `token` or `fetch` throws, rejects or never settles', async () => {
    const never = () => new Promise<never>(() => {});
    const fail = () => {
      throw new Error('It failed.');
    };
    for (const failing of [fail, async () => fail(), never]) {
      for (const option of ['token', 'fetch'] as const) {
        await using server = await serve([]);
        const calls = { token: 0, fetch: 0 };
        const failOnce =
          <Args extends unknown[], Value>(name: typeof option, call: (...args: Args) => Value) =>
          (...args: Args) => {
            calls[name] += 1;
            return name === option && calls[name] === 1 ? failing() : call(...args);
          };
        using watcher = watch(server.url, {
          silenceMs: 100,
          token: failOnce('token', () => 'token'),
          fetch: failOnce('fetch', fetch),
        });
        await until('all events arrive', () => watcher.numbers.length >= 3);
        assert.deepEqual([watcher.numbers, watcher.ends], [[1, 2, 3], []], `${option} that ${failing}`);
      }
    }
  });

  it('sends the headers of the application with each stream', async () => {
    const received: unknown[] = [];
    await using server = await serve([
      (response, request) => received.push(request.headers['gapless-viewer']) && stream(eventOf(1))(response, request),
    ]);
    using watcher = watch(server.url, { headers: () => ({ 'gapless-viewer': `viewer_${received.length}` }) });
    await until('all events arrive', () => watcher.numbers.length >= 3);
    assert.deepEqual(received, ['viewer_0']);
  });

  it('retries if the body of a refusal stalls', async () => {
    await using server = await serve([(response) => response.writeHead(503, { 'content-type': 'application/json' }).write('{')]);
    using watcher = watch(server.url, { silenceMs: 100 });
    await until('all events arrive', () => watcher.numbers.length >= 3);
  });

  it('does not open a stream if it is ended while `token` is pending', async () => {
    await using server = await serve([]);
    const token = Promise.withResolvers<string>();
    const watcher = watch(server.url, { token: () => token.promise });
    watcher[Symbol.dispose]();
    token.resolve('token');
    await sleep(50);
    assert.deepEqual([server.afters, watcher.ends], [[], []]);
  });
});

it('an event stream closes its connection after `complete`, and calls the sink no more', async () => {
  let closed = false;
  await using server = await serve([
    (response) => {
      response.once('close', () => {
        closed = true;
      });
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`${eventOf(1)}event: complete\ndata: \n\n${eventOf(2)}`);
    },
  ]);
  const calls: string[] = [];
  const called = (name: string) => () => calls.push(name);
  eventStreams({ url: server.url }).subscribe(
    { query: messageAdded, variables: {} },
    { next: called('next'), error: called('error'), complete: called('complete') },
  );
  await until('the connection is closed', () => closed);
  assert.deepEqual(calls, ['next', 'complete']);
});
