// Content negotiation by the Accept header.

import Negotiator from 'negotiator';

// Clients may add charset=utf-8, the only supported encoding.
const types = (type: string) => [type, `${type};charset=utf-8`];
const eventStream = types('text/event-stream');
const json = [...types('application/graphql-response+json'), ...types('application/json')];

/** Whether the client accepts an event stream. */
export const acceptsEventStream = (accept: string | null | undefined): boolean => choose(accept, eventStream) !== undefined;

/** Whether the client prefers an event stream to JSON. */
export const prefersEventStream = (accept: string | null | undefined): boolean =>
  eventStream.includes(choose(accept, [...json, ...eventStream]) ?? '');

// A missing or empty header means */*.
const choose = (accept: string | null | undefined, available: string[]): string | undefined =>
  new Negotiator({ headers: { accept: accept || '*/*' } }).mediaType(available);
