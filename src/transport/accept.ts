// Content negotiation by the Accept header.

import { LRUCache } from 'lru-cache';
import Negotiator from 'negotiator';

// Clients may add charset=utf-8, the only supported encoding.
const types = (type: string) => [type, `${type};charset=utf-8`];
const eventStream = types('text/event-stream');
const json = [...types('application/graphql-response+json'), ...types('application/json')];

interface Choice {
  readonly accepted: boolean;
  readonly preferred: boolean;
}

/** By header. Clients send few different ones, and reading one takes as long as a tenth of a send. */
const choices = new LRUCache<string, Choice>({ max: 100 });

/** Whether the client accepts an event stream. */
export const acceptsEventStream = (accept: string | null | undefined): boolean => choiceOf(accept).accepted;

/** Whether the client prefers an event stream to JSON. */
export const prefersEventStream = (accept: string | null | undefined): boolean => choiceOf(accept).preferred;

function choiceOf(accept: string | null | undefined): Choice {
  // A missing or empty header means */*.
  const header = accept || '*/*';
  const known = choices.get(header);
  if (known) return known;
  const negotiator = new Negotiator({ headers: { accept: header } });
  const choice = {
    accepted: negotiator.mediaType(eventStream) !== undefined,
    preferred: eventStream.includes(negotiator.mediaType([...json, ...eventStream]) ?? ''),
  };
  choices.set(header, choice);
  return choice;
}
