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

export interface Context extends Services {
  /** Undefined for a request without a token. */
  readonly viewer: Viewer | undefined;
  /** The address of the client, for limits. Undefined for a client on this machine, which is not limited. */
  readonly address?: string | undefined;
  /** The header Last-Event-ID of a reconnecting event stream. Takes precedence over `after`, which is that of the first request. */
  readonly lastEventId?: string | undefined;
  /** Whether the client still wants the result. */
  readonly wanted: () => boolean;
  /** Continues the connection of this request with a new token. Undefined if the request did not come over a WebSocket. */
  readonly renewToken?: ((token: string) => Promise<Viewer>) | undefined;
  /** Aborted when nobody waits for the result any more: after the deadline, or when the client has left. */
  readonly ended: () => AbortSignal;
  /** Sets the token as a cookie, or clears the cookie with null. Does nothing if the response cannot carry a cookie any more. */
  readonly setCookie: (token: string | null) => void;
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
