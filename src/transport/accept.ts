// Which form of an answer the client asks for by its Accept header.

import Negotiator from 'negotiator';

const eventStream = 'text/event-stream';
const json = ['application/graphql-response+json', 'application/json'];

// Clients that accept anything leave the header out, or leave it empty.
const negotiate = (accept: string | null | undefined) => new Negotiator({ headers: { accept: accept || '*/*' } });

/** Whether an event stream will do. */
export const acceptsEventStream = (accept: string | null | undefined): boolean => negotiate(accept).mediaType([eventStream]) !== undefined;

/** Whether an event stream is preferred to JSON. */
export const prefersEventStream = (accept: string | null | undefined): boolean =>
  negotiate(accept).mediaType([...json, eventStream]) === eventStream;
