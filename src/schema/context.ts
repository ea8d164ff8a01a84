// What a resolver gets to work with. Made anew for every execution, for each event of a subscription too: loaders hang
// on it, and one that outlived its event would answer with what was true at an earlier one.

import type { Chat } from '../chat/chat.ts';
import type { Identity, Viewer } from '../chat/identity.ts';
import { GaplessError } from '../errors.ts';
import type { LiveRooms } from '../feed/live-rooms.ts';
import type { Log } from '../log.ts';
import type { Storage } from '../storage/database.ts';

/** What the whole server shares. */
export interface Services {
  readonly storage: Storage;
  readonly chat: Chat;
  readonly liveRooms: LiveRooms;
  readonly identity: Identity;
  readonly log: Log;
}

export interface Context extends Services {
  /** Undefined for a request without a token. */
  readonly viewer: Viewer | undefined;
  /** Where a browser that reconnects to an event stream left off. Goes before `after`, which is from when it began. */
  readonly lastEventId?: string | undefined;
  /** False once whoever asked has left. */
  readonly wanted: () => boolean;
  /** Has the client keep a token as a cookie, or with null forget it. Does nothing where no cookie can be set. */
  readonly setCookie: (token: string | null) => void;
}

/** The viewer's user id. Throws UNAUTHENTICATED without a token. */
export function requireViewer({ viewer, identity }: Context): string {
  if (viewer) return viewer.userId;
  const how = identity.mode === 'guest' ? 'with the mutation signIn' : 'with a token of your application';
  throw new GaplessError('UNAUTHENTICATED', `Sign in first, ${how}.`);
}
