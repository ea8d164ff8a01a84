// Identifies the viewer: a guest, whose token this server signed, or a user of the host application, whose token it verifies.

import { randomBytes, randomUUID } from 'node:crypto';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { IdentityConfig } from '../config.ts';
import { forbidden, GaplessError, unauthenticated, unavailable } from '../errors.ts';
import type { Storage } from '../storage/database.ts';
import type { Rows } from '../storage/rows.ts';
import { getSecret } from '../storage/secrets.ts';
import type { Db, UserRow } from '../storage/tables.ts';
import { createGuest, upsertUser } from '../storage/users.ts';
import { accountGone } from './gone-user.ts';
import { fitName } from './text.ts';

/** A signed-in user, until their token expires. */
export interface Viewer {
  readonly userId: string;
  readonly expiresAt: Date;
}

export interface Identity {
  readonly mode: IdentityConfig['mode'];
  /** The viewer that the token names. Throws UNAUTHENTICATED if the token is invalid or expired, or its user is gone. */
  verify(token: string): Promise<Viewer>;
  /** Creates a guest and their token. Throws FORBIDDEN if users come from a host application. */
  signIn(name: string): Promise<{ token: string; viewer: Viewer; user: UserRow }>;
  /** Opens another session of a guest, with a token of its own. Throws FORBIDDEN if users come from a host application. */
  createSession(userId: string): Promise<{ token: string; viewer: Viewer }>;
}

export const guestTokenDays = 30;
/** The latest instant that a Date can represent, in milliseconds. */
const lastInstantMs = 8.64e15;
const guestAudience = 'gapless:guest';
/** Maximum number of cached host users. The name of a cached user is not compared with the database. */
const maxKnownUsers = 10_000;
/** Maximum number of cached tokens, so that a reconnecting client costs no second signature check. */
const maxKnownTokens = 10_000;
/** TTL of both caches. A withdrawn key is accepted for at most this long. */
const knownMs = 60_000;
/** Maximum number of users that are remembered to have a row, and the TTL: a connection may outlive its user by as long. */
const maxExisting = 10_000;
const existingMs = 10_000;

export async function openIdentity(config: IdentityConfig, { db, rows }: Storage, clock: Clock): Promise<Identity> {
  const exists = existenceOf(rows, clock);
  return config.mode === 'guest' ? openGuests(db, exists) : openHostUsers(config, db, exists);
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

async function openGuests(db: Db, exists: Exists): Promise<Identity> {
  const secret = await getSecret(db, 'guest-token-key', () => randomBytes(32).toString('base64url'));
  const key = Buffer.from(secret, 'base64url');
  const check = checkerOf((token) => jwtVerify(token, key, { algorithms: ['HS256'], audience: guestAudience, requiredClaims }));
  const createSession = async (userId: string) => {
    const expiresAt = new Date(Math.floor(Date.now() / 1000 + guestTokenDays * 86_400) * 1000);
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(userId)
      .setAudience(guestAudience)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(expiresAt)
      .sign(key);
    return { token, viewer: { userId, expiresAt } };
  };
  return {
    mode: 'guest',
    async verify(token) {
      const { payload, expiresAt } = await check(token);
      const userId = payload.sub as string;
      if (!(await exists(userId))) throw accountGone();
      return { userId, expiresAt };
    },
    async signIn(name) {
      const user = await createGuest(db, name);
      return { ...(await createSession(user.id)), user };
    },
    createSession,
  };
}

function openHostUsers(config: Extract<IdentityConfig, { mode: 'jwt' }>, db: Db, exists: Exists): Identity {
  const options: JWTVerifyOptions = {
    requiredClaims,
    ...(config.issuer === undefined ? {} : { issuer: config.issuer }),
    ...(config.audience === undefined ? {} : { audience: config.audience }),
  };
  const check = checkerOf(verifierOf(config.key, options));
  const known = new LRUCache<string, { name: string; userId: string }>({ max: maxKnownUsers, ttl: knownMs });
  return {
    mode: 'jwt',
    async verify(token) {
      const { payload, expiresAt } = await check(token);
      const subject = payload.sub as string;
      const name = nameOf(payload);
      const user = known.get(subject);
      // A row that an operator deleted, or that a restore rolled back, is created again.
      if (user?.name === name && (await exists(user.userId))) return { userId: user.userId, expiresAt };
      const { id } = await upsertUser(db, subject, name);
      known.set(subject, { name, userId: id });
      return { userId: id, expiresAt };
    },
    async signIn() {
      throw forbidden('signIn is for guests only. This server requires a token of the host application.');
    },
    async createSession() {
      throw forbidden('createSession is for guests only. This server requires a token of the host application.');
    },
  };
}

const requiredClaims = ['sub', 'exp'];

function verifierOf(key: Extract<IdentityConfig, { mode: 'jwt' }>['key'], options: JWTVerifyOptions) {
  if ('secret' in key) {
    const secret = Buffer.from(key.secret);
    return (token: string) => jwtVerify(token, secret, { ...options, algorithms: ['HS256'] });
  }
  const jwks: JWTVerifyGetKey = createRemoteJWKSet(key.jwksUrl);
  return (token: string) => jwtVerify(token, jwks, options);
}

type Verify = (token: string) => Promise<{ payload: JWTPayload }>;

interface Checked {
  readonly payload: JWTPayload;
  readonly expiresAt: Date;
}

/** Verifies tokens, and caches the valid ones. */
function checkerOf(verify: Verify): (token: string) => Promise<Checked> {
  const known = new LRUCache<string, Checked>({ max: maxKnownTokens, ttl: knownMs });
  return async (token) => {
    const found = known.get(token);
    if (found && Date.now() < found.expiresAt.getTime()) return found;
    const checked = await check(token, verify);
    known.set(token, checked);
    return checked;
  };
}

async function check(token: string, verify: Verify): Promise<Checked> {
  if (token === '') throw unauthenticated('The token is empty.');
  try {
    const { payload } = await verify(token);
    if (
      typeof payload.sub !== 'string' ||
      payload.sub === '' ||
      payload.sub.length > 255 ||
      payload.sub.includes('\0') ||
      !payload.sub.isWellFormed()
    ) {
      throw unauthenticated('The token has no valid subject: sub must be a string of 1 to 255 characters.');
    }
    return { payload, expiresAt: new Date(Math.min((payload.exp as number) * 1000, lastInstantMs)) };
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw unauthenticated('The token has expired: get a new one.');
    if (error instanceof errors.JWTClaimValidationFailed) throw unauthenticated(`The token is not for this server: ${error.message}.`);
    if (error instanceof errors.JOSEError && !noKeys(error)) throw unauthenticated('The token is not valid.');
    if (error instanceof GaplessError) throw error;
    throw unavailable('The keys that verify tokens cannot be fetched: retry.', error);
  }
}

/** Whether the key set could not be fetched: a timeout, a status other than 200 (jose has no class for that), or a malformed set. */
const noKeys = (error: errors.JOSEError) =>
  error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === errors.JOSEError.code;

/** The name of the user: the claim `name`, `preferred_username` or `sub`, whichever has something visible first. Never refused. */
function nameOf(payload: JWTPayload): string {
  const names = [payload['name'], payload['preferred_username'], payload.sub].filter((name) => typeof name === 'string');
  return names.map((name) => fitName(name, 80)).find((name) => name !== undefined) ?? 'Nameless';
}
