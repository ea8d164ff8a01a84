// Someone who watches a room, whichever protocol carries it: says behind which event to begin, is handed events, and
// records both. What is handed over while no stream is open, an abandoned socket's rest, does not count.

import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import type { Line, SeenMessage } from '../history.ts';
import { now } from '../journal.ts';
import { codeOf, isPassing, retryAfterMsOf } from './api.ts';

export const roomEvents = `subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) {
    __typename cursor roomId
    ... on MessageAdded { message { ...seen } }
    ... on MessageEdited { message { ...seen } }
    ... on MessageDeleted { message { ...seen } }
    ... on MemberJoined { userId }
    ... on MemberLeft { userId }
  }
}
fragment seen on Message { id number body }`;

interface RoomEvent {
  readonly __typename: string;
  readonly cursor: string;
  readonly roomId: string;
  readonly message?: SeenMessage;
  readonly userId?: string;
}

export interface Watch {
  /** Names the watcher in the history. */
  readonly name: string;
  readonly roomId: string;
  /** The cursor behind which it must see everything. */
  readonly after: string;
  /** The userId of whoever watches. */
  readonly viewer: string;
  readonly token: string;
  /** The nodes, of which `node` is the one that it prefers. */
  readonly urls: readonly string[];
  readonly node: number;
  readonly record: (line: Line) => void;
}

/** What a stream does after it was handed something: goes on, asks anew, or ends. */
export type Verdict = 'go on' | 'ask again' | 'end';

export class Watcher {
  readonly watch: Watch;
  /** The same object all the time: clients send it again when they retry, with `after` as it is then. */
  readonly request: { readonly query: string; readonly variables: { readonly roomId: string; after: string } };
  /** The highest number of a message that it was handed. */
  number = 0;
  /** Messages that it was handed. */
  delivered = 0;
  /** Streams that were open and were lost. */
  losses = 0;
  /** Whether it was ever told that it had caught up. */
  caughtUp = false;
  /** How it ended; undefined while it goes on. */
  ended: 'complete' | 'error' | undefined;
  /** Before which not to ask again. */
  retryAfterMs = 0;
  /** Resolves when it has been handed its first event. */
  readonly begun: Promise<void>;
  readonly #begin: () => void;
  #node: number;
  /** Connections that were tried since anything was handed over. */
  #tried = 0;
  #open = false;

  constructor(watch: Watch) {
    this.watch = watch;
    this.request = { query: roomEvents, variables: { roomId: watch.roomId, after: watch.after } };
    this.#node = watch.node;
    const begun = Promise.withResolvers<void>();
    this.begun = begun.promise;
    this.#begin = begun.resolve;
  }

  /** Where to connect: to the node that it prefers, and where that does not answer, to the next. */
  nextUrl(): string {
    const { urls, node } = this.watch;
    this.#node = (node + this.#tried) % urls.length;
    this.#tried += 1;
    return urls[this.#node] as string;
  }

  /** A connection is there, and events are asked for behind the last one. */
  opened(): void {
    this.lost('opened anew');
    this.#open = true;
    const { name, roomId, viewer, record } = this.watch;
    const { after } = this.request.variables;
    record({ type: 'open', at: now(), watcher: name, room: roomId, viewer, node: this.#node, after });
  }

  /** It was handed a result. */
  take({ data, errors }: ExecutionResult<unknown, unknown>): Verdict {
    if (this.ended) return 'end';
    if (!this.#open) return 'go on';
    if (errors) return this.refused(errors as unknown as GraphQLFormattedError[]);
    const { __typename, cursor, message, userId, roomId } = intern((data as { roomEvents: RoomEvent }).roomEvents);
    const { name, record } = this.watch;
    this.#tried = 0;
    this.retryAfterMs = 0;
    this.request.variables.after = cursor;
    const line = { type: 'event', at: now(), watcher: name, room: roomId, event: __typename, cursor } as const;
    record(message ? { ...line, message } : userId === undefined ? line : { ...line, userId });
    if (__typename === 'CaughtUp') this.caughtUp = true;
    if (__typename === 'MessageAdded' && message) {
      this.delivered += 1;
      this.number = Math.max(this.number, message.number);
    }
    this.#begin();
    return 'go on';
  }

  /** The server has answered with errors, at first or in the middle. */
  refused(errors: readonly GraphQLFormattedError[]): Verdict {
    const code = codeOf(errors);
    if (!isPassing(code)) return this.#end('error', code);
    this.retryAfterMs = retryAfterMsOf(errors);
    this.lost(code);
    return 'ask again';
  }

  /** The client has given up. */
  failed(why: string): Verdict {
    return this.#end('error', why);
  }

  completed(): Verdict {
    return this.#end('complete', '');
  }

  /** The connection is gone, and will be made again. */
  lost(why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.losses += 1;
    this.watch.record({ type: 'end', at: now(), watcher: this.watch.name, how: 'lost', why });
  }

  #end(how: 'complete' | 'error', why: string): Verdict {
    if (this.ended) return 'end';
    this.ended = how;
    this.#open = false;
    this.watch.record({ type: 'end', at: now(), watcher: this.watch.name, how, why });
    return 'end';
  }
}

/** Events that are remembered: enough for all watchers of a room to come by. */
const maxInterned = 20_000;
const interned = new Map<string, RoomEvent>();

/** The event as the first watcher was handed it, where it is the same: a hundred are told alike, and a million lines are kept. */
function intern(event: RoomEvent): RoomEvent {
  const known = interned.get(event.cursor);
  if (known?.__typename === event.__typename && isSame(known.message, event.message) && known.userId === event.userId) return known;
  if (interned.size >= maxInterned) interned.clear();
  if (event.__typename !== 'CaughtUp') interned.set(event.cursor, event);
  return event;
}

const isSame = (one: SeenMessage | undefined, other: SeenMessage | undefined): boolean =>
  one?.id === other?.id && one?.number === other?.number && one?.body === other?.body;
