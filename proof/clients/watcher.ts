// Watches a room over any protocol: names the cursor to resume after, receives events, and records both. Events that
// arrive while no stream is open (the rest of an abandoned socket) do not count.

import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import type { Line, SeenMessage } from '../history.ts';
import { now } from '../journal.ts';
import { codeOf, isPassing, retryAfterMsOf } from './api.ts';

/**
 * What a watcher selects. `shared`: the same for every viewer, so the server executes each event once for all of them.
 * `own`: with a field that depends on the viewer, so each event is executed for each viewer, and reads the database.
 */
export type Selection = 'shared' | 'own';

const messageFields: Record<Selection, string> = {
  shared: 'id number body',
  own: 'id number body room { viewerMembership { role } }',
};

/** The subscription, with `alias` as the key of its results. */
export const roomEvents = (selection: Selection, alias = 'roomEvents'): string => `subscription ($roomId: ID!, $after: String) {
  ${alias}: roomEvents(roomId: $roomId, after: $after) {
    __typename cursor roomId
    ... on MessageAdded { message { ...seen } }
    ... on MessageEdited { message { ...seen } }
    ... on MessageDeleted { message { ...seen } }
    ... on MemberJoined { userId }
    ... on MemberLeft { userId }
  }
}
fragment seen on Message { ${messageFields[selection]} }`;

export interface RoomEvent {
  readonly __typename: string;
  readonly cursor: string;
  readonly roomId: string;
  readonly message?: SeenMessage & { readonly room?: { readonly viewerMembership: object | null } | null };
  readonly userId?: string;
}

export interface Watch {
  /** Names the watcher in the history. */
  readonly name: string;
  readonly roomId: string;
  /** The cursor after which it must receive everything. */
  readonly after: string;
  /** The userId of the viewer. */
  readonly viewer: string;
  readonly token: string;
  /** The nodes. `node` is the preferred one. */
  readonly urls: readonly string[];
  readonly node: number;
  readonly selection: Selection;
  readonly record: (line: Line) => void;
}

/** What a stream does after a result or an error. */
export type NextStep = 'continue' | 'resubscribe' | 'end';

export class Watcher {
  readonly watch: Watch;
  /** Always the same object: clients send it again when they retry, with the current `after`. */
  readonly request: { readonly query: string; readonly variables: { readonly roomId: string; after: string } };
  /** The highest number of a message that it received. */
  number = 0;
  /** Number of messages that it received. */
  delivered = 0;
  /** Number of open streams that were lost. */
  losses = 0;
  /** Whether it ever received CaughtUp. */
  caughtUp = false;
  /** How it ended. Undefined until then. */
  ended: 'complete' | 'error' | 'stopped' | undefined;
  /** How long to wait before subscribing again, as the server requested. */
  retryAfterMs = 0;
  /** Resolves at its first event. */
  readonly begun: Promise<void>;
  readonly #begin: () => void;
  #node: number;
  /** Number of connections tried since the last event. */
  #tried = 0;
  #open = false;
  /** Errors that came in place of an event. What comes next decides: an end, a lost stream, or the next event. */
  #refusal: readonly GraphQLFormattedError[] | undefined;

  constructor(watch: Watch) {
    this.watch = watch;
    this.request = { query: roomEvents(watch.selection), variables: { roomId: watch.roomId, after: watch.after } };
    this.#node = watch.node;
    const begun = Promise.withResolvers<void>();
    this.begun = begun.promise;
    this.#begin = begun.resolve;
  }

  /** The URL to connect to: the preferred node, or the next one after a failure. */
  nextUrl(): string {
    const { urls, node } = this.watch;
    this.#node = (node + this.#tried) % urls.length;
    this.#tried += 1;
    return urls[this.#node] as string;
  }

  /** Called when a connection is open and the watcher subscribes after its last event. */
  opened(): void {
    this.lost('opened anew');
    this.#open = true;
    const { name, roomId, viewer, record } = this.watch;
    const { after } = this.request.variables;
    record({ type: 'open', at: now(), watcher: name, room: roomId, viewer, node: this.#node, after });
  }

  /**
   * Receives a result. Like any client that knows its position only by the cursors of events, it stays subscribed after a
   * result without an event. If the server then delivers the next event, this one was skipped.
   */
  take({ data, errors }: ExecutionResult<unknown, unknown>): NextStep {
    if (this.ended) return 'end';
    if (!this.#open) return 'continue';
    const event = (data as { roomEvents: RoomEvent | null } | null | undefined)?.roomEvents;
    if (!event) {
      this.#refusal = (errors ?? []) as unknown as GraphQLFormattedError[];
      return 'continue';
    }
    this.#refusal = undefined;
    this.#receive(event, errors as unknown as GraphQLFormattedError[] | undefined);
    return 'continue';
  }

  #receive(received: RoomEvent, errors: readonly GraphQLFormattedError[] | undefined): void {
    const { __typename, cursor, message, userId, roomId } = intern(received);
    const { name, record } = this.watch;
    this.#tried = 0;
    this.retryAfterMs = 0;
    this.request.variables.after = cursor;
    const error = errors ? codeOf(errors) : this.#lacksMembership(received) ? 'no membership' : undefined;
    const line = { type: 'event', at: now(), watcher: name, room: roomId, event: __typename, cursor } as const;
    record({
      ...line,
      ...(message && { message }),
      ...(userId !== undefined && { userId }),
      ...(error !== undefined && { error }),
    });
    if (__typename === 'CaughtUp') this.caughtUp = true;
    if (__typename === 'MessageAdded' && message) {
      this.delivered += 1;
      this.number = Math.max(this.number, message.number);
    }
    this.#begin();
  }

  /** Watchers with the selection `own` are members for as long as they watch. */
  #lacksMembership({ message }: RoomEvent): boolean {
    return this.watch.selection === 'own' && message != null && message.room?.viewerMembership == null;
  }

  /** Records an event of a subscription that the client had completed. */
  stray({ __typename, cursor }: RoomEvent): void {
    const { name, record } = this.watch;
    record({ type: 'stray', at: now(), watcher: name, event: __typename, cursor });
  }

  /** Records that this watcher stops and does not reconnect. It is not expected to receive anything more. */
  stop(): void {
    if (this.ended) return;
    this.#open = false;
    this.ended = 'stopped';
    this.watch.record({ type: 'end', at: now(), watcher: this.watch.name, how: 'stopped', why: '' });
  }

  /** The server answered with errors, at the start or later. */
  refused(errors: readonly GraphQLFormattedError[]): NextStep {
    const code = codeOf(errors);
    if (!isPassing(code)) return this.#end('error', code);
    this.retryAfterMs = retryAfterMsOf(errors);
    this.lost(code);
    return 'resubscribe';
  }

  /** The client has given up. */
  failed(why: string): NextStep {
    return this.#end('error', why);
  }

  /** The server completed the stream. After errors in place of an event, this is a refusal. */
  completed(): NextStep {
    const refusal = this.#refusal;
    this.#refusal = undefined;
    return refusal ? this.refused(refusal) : this.#end('complete', '');
  }

  /** The connection is lost, and will be opened again. */
  lost(why: string): void {
    if (!this.#open) return;
    const refusal = this.#refusal;
    this.#refusal = undefined;
    if (refusal) this.retryAfterMs = retryAfterMsOf(refusal);
    this.#open = false;
    this.losses += 1;
    this.watch.record({ type: 'end', at: now(), watcher: this.watch.name, how: 'lost', why: refusal ? codeOf(refusal) : why });
  }

  #end(how: 'complete' | 'error', why: string): NextStep {
    if (this.ended) return 'end';
    this.ended = how;
    this.#open = false;
    this.watch.record({ type: 'end', at: now(), watcher: this.watch.name, how, why });
    return 'end';
  }
}

/** Number of events to remember: enough until all watchers of a room have received them. */
const maxInterned = 20_000;
const interned = new Map<string, RoomEvent>();

/** The same object for the same event of all watchers, because a run keeps a million of them. */
function intern(event: RoomEvent): Omit<RoomEvent, 'message'> & { readonly message?: SeenMessage } {
  const known = interned.get(event.cursor);
  if (known?.__typename === event.__typename && isSame(known.message, event.message) && known.userId === event.userId) return known;
  if (interned.size >= maxInterned) interned.clear();
  const { message, ...rest } = event;
  const kept = message ? { ...rest, message: { id: message.id, number: message.number, body: message.body } } : rest;
  if (event.__typename !== 'CaughtUp') interned.set(event.cursor, kept);
  return kept;
}

const isSame = (one: SeenMessage | undefined, other: SeenMessage | undefined): boolean =>
  one?.id === other?.id && one?.number === other?.number && one?.body === other?.body;
