// Who somebody is: guests, whose tokens the server signs, or users of a host application, whose tokens it checks.

import { randomBytes } from 'node:crypto';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose';
import type { IdentityConfig } from '../config.ts';
import { forbidden, GaplessError } from '../errors.ts';
import type { Storage } from '../storage/database.ts';
import type { Rows } from '../storage/rows.ts';
import { getSecret } from '../storage/secrets.ts';
import type { Db, UserRow } from '../storage/tables.ts';
import { createGuest, upsertUser } from '../storage/users.ts';

/** A signed-in person, for as long as their token holds. */
export interface Viewer {
  readonly userId: string;
  readonly expiresAt: Date;
}

export interface Identity {
  readonly mode: IdentityConfig['mode'];
  /** Whose token this is. Throws UNAUTHENTICATED for one that is bad, old, or of nobody. */
  verify(token: string): Promise<Viewer>;
  /** Makes a guest and a token for them. Throws FORBIDDEN where users come from a host application. */
  signIn(name: string): Promise<{ token: string; viewer: Viewer; user: UserRow }>;
}

export const guestTokenDays = 30;
/** The last instant that a Date can be. */
const lastInstantMs = 8.64e15;
const guestAudience = 'gapless:guest';
/** Users whose name is known to be up to date, so that not every request writes. */
const knownUsers = 10_000;
/** For so long: one who was erased, or is of a past that a restore undid, appears anew. */
const knownMs = 60_000;

/** Tokens that were found good, for as long: a key that is withdrawn holds no longer than that. */
const knownTokens = 10_000;

export async function openIdentity(config: IdentityConfig, { db, rows }: Storage): Promise<Identity> {
  return config.mode === 'guest' ? openGuests(db, rows) : openHostUsers(config, db);
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
      if (!user) throw unauthenticated('The token is of a user who is no longer there: sign in again.');
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

function openHostUsers(config: Extract<IdentityConfig, { mode: 'jwt' }>, db: Db): Identity {
  const options: JWTVerifyOptions = {
    requiredClaims,
    ...(config.issuer === undefined ? {} : { issuer: config.issuer }),
    ...(config.audience === undefined ? {} : { audience: config.audience }),
  };
  const check = checkerOf(verifierOf(config.key, options));
  const known = new Map<string, { name: string; userId: string; seenAt: number }>();
  return {
    mode: 'jwt',
    async verify(token) {
      const { payload, expiresAt } = await check(token);
      const subject = payload.sub as string;
      const name = nameOf(payload);
      let user = known.get(subject);
      if (user?.name !== name || Date.now() - user.seenAt > knownMs) {
        const row = await upsertUser(db, subject, name);
        user = { name, userId: row.id, seenAt: Date.now() };
        if (known.size >= knownUsers) known.clear();
        known.set(subject, user);
      }
      return { userId: user.userId, expiresAt };
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

/** What a token says. It is checked once in a while: who comes back shows one that was good a moment ago. */
function checkerOf(verify: Verify): (token: string) => Promise<Checked> {
  const known = new Map<string, Checked & { readonly checkedAt: number }>();
  return async (token) => {
    const now = Date.now();
    const found = known.get(token);
    if (found && now < found.expiresAt.getTime() && now - found.checkedAt < knownMs) return found;
    const checked = { ...(await check(token, verify)), checkedAt: now };
    if (known.size >= knownTokens) known.clear();
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
    throw new GaplessError('UNAVAILABLE', 'The keys to check tokens with cannot be had just now: try again.', {
      retryAfterMs: 1000,
      cause: error,
    });
  }
}

/** Whether the key set could not be had: it came late, with another status than 200 (jose has no class for that), or as junk. */
const noKeys = (error: errors.JOSEError) =>
  error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === errors.JOSEError.code;

/** `name`, or what else a token may call its user by; 1 to 80 characters. */
function nameOf(payload: JWTPayload): string {
  const names = [payload['name'], payload['preferred_username'], payload.sub].filter((name) => typeof name === 'string');
  const written = names.map((name) => [...name.toWellFormed().replaceAll('\0', '').trim()].slice(0, 80).join('').trim());
  return written.find((name) => name !== '') ?? 'Nameless';
}

const unauthenticated = (message: string) => new GaplessError('UNAUTHENTICATED', message);
