// The context that resolvers receive. Every execution has its own, including the execution of each subscription event:
// loaders cache in the context, so a context that was reused for the next event would return stale rows.

import type { Chat } from '../chat/chat.ts';
import type { Identity, Viewer } from '../chat/identity.ts';
import { unauthenticated } from '../errors.ts';
import type { Accounts } from '../feed/accounts.ts';
import type { LiveRooms } from '../feed/live-rooms.ts';
import type { Limits } from '../limits/limits.ts';
import type { Log } from '../log.ts';
import type { Storage } from '../storage/database.ts';

/** The services that all requests share. */
export interface Services {
  readonly storage: Storage;
  readonly chat: Chat;
  readonly liveRooms: LiveRooms;
  readonly accounts: Accounts;
  readonly identity: Identity;
  readonly limits: Limits;
  readonly log: Log;
}

/** The services without the properties that a context adds for one client. */
export const servicesOf = ({ storage, chat, liveRooms, accounts, identity, limits, log }: Services): Services => ({
  storage,
  chat,
  liveRooms,
  accounts,
  identity,
  limits,
  log,
});

/** What the client of an operation may use of the node. */
export interface Share {
  /** Resolves when the client has rested from its earlier operations. Undefined if it need not rest. */
  rested(): Promise<void> | undefined;
  /** Counts CPU time that the operation took. */
  charge(ms: number): void;
  /** Runs an operation that may be large when its turn comes. `work` also returns for how long it blocked the event loop. */
  runLarge<Result>(work: () => Promise<{ result: Result; blockedMs: number }>): Promise<Result>;
  /** Whether an answer of this size may wait for the client to read it. */
  accepts(bytes: number): boolean;
}

/** The functions are methods of a class for an operation of a WebSocket: each declares `this`, so that a call without it does not compile. */
export interface Context extends Services {
  /** Undefined for a request without a token. */
  readonly viewer: Viewer | undefined;
  /** The address of the client, for limits. Undefined for a client on this machine, which is not limited. */
  readonly address?: string | undefined;
  /** The header Last-Event-ID of a reconnecting event stream. Takes precedence over `after`, which is that of the first request. */
  readonly lastEventId?: string | undefined;
  /** Undefined if the operation does not come from a client. */
  readonly share?: Share | undefined;
  /** Whether the client still wants the result. */
  readonly wanted: (this: Context) => boolean;
  /** Continues the connection of this request with a new token. Undefined if the request did not come over a WebSocket. */
  readonly renewToken?: ((this: Context, token: string) => Promise<Viewer>) | undefined;
  /** Aborted when nobody waits for the result any more: after the deadline, or when the client has left. */
  readonly ended: (this: Context) => AbortSignal;
  /** Sets the token as a cookie, or clears the cookie with null. Does nothing if the response cannot carry a cookie any more. */
  readonly setCookie: (this: Context, token: string | null) => void;
}

/** The viewer's user id. Throws UNAUTHENTICATED without a token. */
export const requireViewer = (context: Context): string => requireSession(context).userId;

/** The viewer, with their session. Throws UNAUTHENTICATED without a token. */
export function requireSession({ viewer, identity }: Context): Viewer {
  if (viewer) return viewer;
  const how = identity.mode === 'guest' ? 'with the mutation signIn' : 'with a token of your application';
  throw unauthenticated(`Sign in first, ${how}.`);
}

/** The user id of a viewer who changes something. Takes a point of the limit on changes: throws RATE_LIMITED if none is left. */
export async function requireChanger(context: Context): Promise<string> {
  const user = requireViewer(context);
  await context.limits.take('change', { user });
  return user;
}
