import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acceptsEventStream, prefersEventStream } from '../../src/transport/accept.ts';

describe('an Accept header', () => {
  const headers: [string | null | undefined, { accepts: boolean; prefers: boolean }][] = [
    [undefined, { accepts: true, prefers: false }],
    [null, { accepts: true, prefers: false }],
    ['', { accepts: true, prefers: false }],
    ['*/*', { accepts: true, prefers: false }],
    ['text/*', { accepts: true, prefers: true }],
    ['text/event-stream', { accepts: true, prefers: true }],
    ['TEXT/Event-Stream; charset=utf-8', { accepts: true, prefers: true }],
    ['application/json; charset="UTF-8", text/event-stream', { accepts: true, prefers: false }],
    ['text/event-stream, application/json', { accepts: true, prefers: true }],
    ['application/json, text/event-stream', { accepts: true, prefers: false }],
    ['application/json;q=0.5, text/event-stream', { accepts: true, prefers: true }],
    ['text/event-stream;q=0.5, application/json', { accepts: true, prefers: false }],
    ['text/event-stream;q=0.5, */*', { accepts: true, prefers: false }],
    ['text/event-stream;q=0', { accepts: false, prefers: false }],
    ['*/*, text/event-stream;q=0', { accepts: false, prefers: false }],
    ['text/event-streams', { accepts: false, prefers: false }],
    ['text/html,application/xhtml+xml,*/*;q=0.8', { accepts: true, prefers: false }],
    ['application/json', { accepts: false, prefers: false }],
    ['junk', { accepts: false, prefers: false }],
    [',,;q=;,', { accepts: false, prefers: false }],
  ];
  for (const [header, { accepts, prefers }] of headers) {
    it(`${JSON.stringify(header)} ${accepts ? 'accepts' : 'excludes'} an event stream${prefers ? ', and prefers it' : ''}`, () => {
      assert.deepEqual({ accepts: acceptsEventStream(header), prefers: prefersEventStream(header) }, { accepts, prefers });
    });
  }
});
