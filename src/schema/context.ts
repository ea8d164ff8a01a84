// What resolvers work with. Every execution, also that of each event of a subscription, has a context of its own: loaders
// cache in it, and a context that outlived its event would answer with an earlier state.

import type { Chat } from '../chat/chat.ts';
import type { Identity, Viewer } from '../chat/identity.ts';
import { unauthenticated } from '../errors.ts';
import type { LiveRooms } from '../feed/live-rooms.ts';
import type { Log } from '../log.ts';
import type { Storage } from '../storage/database.ts';

/** What all requests of the server share. */
export interface Services {
  readonly storage: Storage;
  readonly chat: Chat;
  readonly liveRooms: LiveRooms;
  readonly identity: Identity;
  readonly log: Log;
}

/** The services alone, without what a context adds for one client. */
export const servicesOf = ({ storage, chat, liveRooms, identity, log }: Services): Services => ({
  storage,
  chat,
  liveRooms,
  identity,
  log,
});

export interface Context extends Services {
  /** Undefined for a request without a token. */
  readonly viewer: Viewer | undefined;
  /** Where a browser that reconnects to an event stream was. Takes precedence over `after`, which is from its first request. */
  readonly lastEventId?: string | undefined;
  /** Whether the client still wants the result. */
  readonly wanted: () => boolean;
  /** Sets the token as a cookie, or clears the cookie with null. Does nothing if the response cannot carry a cookie any more. */
  readonly setCookie: (token: string | null) => void;
}

/** The viewer's user id. Throws UNAUTHENTICATED without a token. */
export function requireViewer({ viewer, identity }: Context): string {
  if (viewer) return viewer.userId;
  const how = identity.mode === 'guest' ? 'with the mutation signIn' : 'with a token of your application';
  throw unauthenticated(`Sign in first, ${how}.`);
}
