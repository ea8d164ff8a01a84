// Identifies the viewer: a guest, whose token this server signed, or a user of the host application, whose token it verifies.
// A token of a session that was signed out is refused, also while it is cached.

import { randomBytes, randomUUID } from 'node:crypto';
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { IdentityConfig } from '../config.ts';
import { forbidden, signedOut } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Storage } from '../storage/database.ts';
import type { Session } from '../storage/revocations.ts';
import type { Rows } from '../storage/rows.ts';
import { getSecret } from '../storage/secrets.ts';
import type { UserRow } from '../storage/tables.ts';
import { createGuest, upsertUser } from '../storage/users.ts';
import { accountGone } from './gone-user.ts';
import { KeySet } from './key-set.ts';
import type { Revocations } from './revocations.ts';
import { fitName } from './text.ts';
import { clockToleranceSeconds, requiredClaims, type Token, tokenChecker, type VerifySignature } from './token.ts';

/** A signed-in user, until their token expires or their session is signed out. */
export interface Viewer {
  readonly userId: string;
  /** `exp` of the token. */
  readonly expiresAt: Date;
  readonly session: Session;
}

export interface Identity {
  readonly mode: IdentityConfig['mode'];
  /** The viewer that the token names. Throws UNAUTHENTICATED if it is invalid, expired or signed out, or its user is gone. */
  verify(token: string): Promise<Viewer>;
  /** Creates a guest and their token. Throws FORBIDDEN if users come from a host application. */
  signIn(name: string): Promise<{ token: string; viewer: Viewer; user: UserRow }>;
  /** Ends the session of the viewer on every node. */
  signOut(viewer: Viewer): Promise<void>;
  /**
   * Ends every other session of the viewer on every node. Resolves with a new token for this one, whose old token is refused
   * as well, so that copies of it end. The tokens of a host application cannot be issued here: its current token stays valid,
   * and the result is null.
   */
  signOutEverywhere(viewer: Viewer): Promise<string | null>;
  /** Opens another session of a guest, with a token of its own. Throws FORBIDDEN if users come from a host application. */
  createSession(userId: string): Promise<{ token: string; viewer: Viewer }>;
}

export const guestTokenDays = 30;
const guestAudience = 'gapless:guest';
/** Maximum number of cached host users, and the TTL. The name of a cached user is not compared with the database. */
const maxKnownUsers = 10_000;
const knownMs = 60_000;
/** Maximum number of users that are remembered to have a row, and the TTL: a connection may outlive its user by as long. */
const maxExisting = 10_000;
const existingMs = 10_000;

interface Services {
  readonly storage: Storage;
  readonly revocations: Revocations;
  readonly log: Log;
  readonly clock: Clock;
}

export async function openIdentity(config: IdentityConfig, services: Services): Promise<Identity> {
  const exists = existenceOf(services.storage.rows, services.clock);
  return config.mode === 'guest' ? openGuests(services, exists) : openHostUsers(config, services, exists);
}

/** Whether the user with this id has a row. */
type Exists = (userId: string) => Promise<boolean>;

/** Remembers for a moment who has a row, so that not every request costs a query. */
function existenceOf(rows: Rows, clock: Clock): Exists {
  const existing = new LRUCache<string, true>({ max: maxExisting, ttl: existingMs, perf: clock });
  return async (userId) => {
    if (existing.has(userId)) return true;
    const [user] = await rows.users([userId]);
    if (user) existing.set(userId, true);
    return user !== undefined;
  };
}

async function openGuests({ storage: { db }, revocations }: Services, exists: Exists): Promise<Identity> {
  const secret = await getSecret(db, 'guest-token-key', () => randomBytes(32).toString('base64url'));
  const key = Buffer.from(secret, 'base64url');
  const check = tokenChecker((token) =>
    jwtVerify(token, key, { algorithms: ['HS256'], audience: guestAudience, requiredClaims, clockTolerance: clockToleranceSeconds }),
  );
  /** The viewer of a new session. Its token is signed once the session may begin. */
  const newViewer = (userId: string): Viewer => {
    const issuedAt = Math.floor(Date.now() / 1000);
    return {
      userId,
      expiresAt: new Date((issuedAt + guestTokenDays * 86_400) * 1000),
      session: { subject: userId, id: randomUUID(), issuedAt },
    };
  };
  const sign = ({ userId, expiresAt, session: { id, issuedAt } }: Viewer) =>
    new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(userId)
      .setAudience(guestAudience)
      .setJti(id)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(key);
  const createSession = async (userId: string) => {
    const viewer = newViewer(userId);
    return { token: await sign(viewer), viewer };
  };
  return {
    mode: 'guest',
    async verify(token) {
      const { subject: userId, expiresAt, session } = await check(token);
      if (!(await exists(userId))) throw accountGone();
      requireOpen(revocations, session);
      return { userId, expiresAt, session };
    },
    async signIn(name) {
      const user = await createGuest(db, name);
      return { ...(await createSession(user.id)), user };
    },
    signOut: ({ session, expiresAt }) => revocations.revoke(session, expiresAt),
    async signOutEverywhere({ userId, session }) {
      const next = newViewer(userId);
      await revocations.revokeOthers({
        session,
        keptSessionId: next.session.id,
        // Other nodes may have issued tokens by a clock that is ahead.
        aheadSeconds: clockToleranceSeconds,
        expiresAt: next.expiresAt,
      });
      return sign(next);
    },
    createSession,
  };
}

function openHostUsers(config: Extract<IdentityConfig, { mode: 'jwt' }>, services: Services, exists: Exists): Identity {
  const { storage, revocations } = services;
  const check = tokenChecker(verifierOf(config, services));
  const known = new LRUCache<string, { name: string; issuedAt: number; userId: string }>({ max: maxKnownUsers, ttl: knownMs });
  const userIdOf = async ({ payload, subject, session: { issuedAt } }: Token): Promise<string> => {
    const name = nameOf(payload);
    const user = known.get(subject);
    // A row that an operator deleted, or that a restore rolled back, is created again.
    if (user && (user.name === name || issuedAt < user.issuedAt) && (await exists(user.userId))) {
      user.issuedAt = Math.max(user.issuedAt, issuedAt);
      return user.userId;
    }
    const { id, name: named, nameIssuedAt } = await upsertUser(storage.db, subject, name, issuedAt);
    known.set(subject, { name: named, issuedAt: nameIssuedAt ?? 0, userId: id });
    return id;
  };
  return {
    mode: 'jwt',
    async verify(token) {
      const checked = await check(token);
      const { expiresAt, session } = checked;
      requireOpen(revocations, session);
      const userId = await userIdOf(checked);
      requireOpen(revocations, session);
      return { userId, expiresAt, session };
    },
    async signIn() {
      throw forbidden('signIn is for guests only. This server requires a token of the host application.');
    },
    async createSession() {
      throw forbidden('createSession is for guests only. This server requires a token of the host application.');
    },
    signOut: ({ session, expiresAt }) => revocations.revoke(session, expiresAt),
    async signOutEverywhere({ session }) {
      // Never expires, because a host application may issue tokens that are valid for any time.
      await revocations.revokeOthers({ session, keptSessionId: session.id, aheadSeconds: 0, expiresAt: null });
      return null;
    },
  };
}

function requireOpen(revocations: Revocations, session: Session): void {
  if (revocations.isRevoked(session)) throw signedOut();
}

function verifierOf({ key, issuer, audience }: Extract<IdentityConfig, { mode: 'jwt' }>, { log, clock }: Services): VerifySignature {
  const options: JWTVerifyOptions = {
    requiredClaims,
    clockTolerance: clockToleranceSeconds,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
  if ('jwksUrl' in key) {
    const keys = new KeySet(key.jwksUrl, log, clock);
    return (token) => keys.verify(token, options);
  }
  const verifyWith = (secret: string) => {
    const bytes = Buffer.from(secret);
    return (token: string) => jwtVerify(token, bytes, { ...options, algorithms: ['HS256'] });
  };
  const verify = verifyWith(key.secret);
  if (key.previousSecret === undefined) return verify;
  const verifyWithPrevious = verifyWith(key.previousSecret);
  return (token) =>
    verify(token).catch((error: unknown) => {
      if (error instanceof errors.JWSSignatureVerificationFailed) return verifyWithPrevious(token);
      throw error;
    });
}

/** The name of the user: the claim `name`, `preferred_username` or `sub`, whichever has something visible first. Never refused. */
function nameOf(payload: JWTPayload): string {
  const names = [payload['name'], payload['preferred_username'], payload.sub].filter((name) => typeof name === 'string');
  return names.map((name) => fitName(name, 80)).find((name) => name !== undefined) ?? 'Nameless';
}
