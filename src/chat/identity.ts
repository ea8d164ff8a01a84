// Finds out who the viewer is: a guest, whose token this server signs, or a user of the host application, whose token it verifies.

import { randomBytes } from 'node:crypto';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { IdentityConfig } from '../config.ts';
import { forbidden, GaplessError, unauthenticated, unavailable } from '../errors.ts';
import type { Storage } from '../storage/database.ts';
import type { Rows } from '../storage/rows.ts';
import { getSecret } from '../storage/secrets.ts';
import type { Db, UserRow } from '../storage/tables.ts';
import { createGuest, upsertUser } from '../storage/users.ts';
import { accountGone } from './gone-user.ts';

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
}

export const guestTokenDays = 30;
/** The latest instant of a Date. */
const lastInstantMs = 8.64e15;
const guestAudience = 'gapless:guest';
/** Host users whose name is known to be up to date, so that not every request compares it with the database. */
const maxKnownUsers = 10_000;
/** Tokens that were verified, so that a client that reconnects costs no second signature check. */
const maxKnownTokens = 10_000;
/** TTL of both: a key that is withdrawn is accepted for at most this long. */
const knownMs = 60_000;

export async function openIdentity(config: IdentityConfig, { db, rows }: Storage): Promise<Identity> {
  return config.mode === 'guest' ? openGuests(db, rows) : openHostUsers(config, db, rows);
}

async function openGuests(db: Db, rows: Rows): Promise<Identity> {
  const secret = await getSecret(db, 'guest-token-key', () => randomBytes(32).toString('base64url'));
  const key = Buffer.from(secret, 'base64url');
  const check = checkerOf((token) => jwtVerify(token, key, { algorithms: ['HS256'], audience: guestAudience, requiredClaims }));
  return {
    mode: 'guest',
    async verify(token) {
      const { payload, expiresAt } = await check(token);
      const [user] = await rows.users([payload.sub as string]);
      if (!user) throw accountGone();
      return { userId: user.id, expiresAt };
    },
    async signIn(name) {
      const user = await createGuest(db, name);
      const expiresAt = new Date(Math.floor(Date.now() / 1000 + guestTokenDays * 86_400) * 1000);
      const token = await new SignJWT()
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(user.id)
        .setAudience(guestAudience)
        .setIssuedAt()
        .setExpirationTime(expiresAt)
        .sign(key);
      return { token, viewer: { userId: user.id, expiresAt }, user };
    },
  };
}

function openHostUsers(config: Extract<IdentityConfig, { mode: 'jwt' }>, db: Db, rows: Rows): Identity {
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
      const [row] = user?.name === name ? await rows.users([user.userId]) : [];
      if (row) return { userId: row.id, expiresAt };
      const { id } = await upsertUser(db, subject, name);
      known.set(subject, { name, userId: id });
      return { userId: id, expiresAt };
    },
    async signIn() {
      throw forbidden('signIn is for guests. Here users come with a token of the host application.');
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

/** Verifies tokens, and remembers those that are valid for a while. */
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
      throw unauthenticated('The token names nobody: sub must be a string of 1 to 255 characters.');
    }
    return { payload, expiresAt: new Date(Math.min((payload.exp as number) * 1000, lastInstantMs)) };
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw unauthenticated('The token has expired: get a new one.');
    if (error instanceof errors.JWTClaimValidationFailed) throw unauthenticated(`The token is not for this server: ${error.message}.`);
    if (error instanceof errors.JOSEError && !noKeys(error)) throw unauthenticated('The token is not valid.');
    if (error instanceof GaplessError) throw error;
    throw unavailable('The keys that tokens are verified with cannot be fetched now: retry.', error);
  }
}

/** Whether the key set could not be fetched: too late, with another status than 200 (jose has no class for that), or malformed. */
const noKeys = (error: errors.JOSEError) =>
  error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === errors.JOSEError.code;

/** The name of the user: the claim `name`, `preferred_username` or `sub`; 1 to 80 characters. */
function nameOf(payload: JWTPayload): string {
  const names = [payload['name'], payload['preferred_username'], payload.sub].filter((name) => typeof name === 'string');
  const written = names.map((name) => [...name.toWellFormed().replaceAll('\0', '').trim()].slice(0, 80).join('').trim());
  return written.find((name) => name !== '') ?? 'Nameless';
}
