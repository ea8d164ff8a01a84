// Which form of an answer the client asks for by its Accept header.

import Negotiator from 'negotiator';

// Clients may name the encoding, which is the only one.
const types = (type: string) => [type, `${type};charset=utf-8`];
const eventStream = types('text/event-stream');
const json = [...types('application/graphql-response+json'), ...types('application/json')];

/** Whether an event stream will do. */
export const acceptsEventStream = (accept: string | null | undefined): boolean => choose(accept, eventStream) !== undefined;

/** Whether an event stream is preferred to JSON. */
export const prefersEventStream = (accept: string | null | undefined): boolean =>
  eventStream.includes(choose(accept, [...json, ...eventStream]) ?? '');

// A client that accepts anything leaves the header out, or leaves it empty.
const choose = (accept: string | null | undefined, available: string[]): string | undefined =>
  new Negotiator({ headers: { accept: accept || '*/*' } }).mediaType(available);
