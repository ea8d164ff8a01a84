// The public keys of the host application, fetched from its JWKS URL. A withdrawn key is dropped, and a new one found, within a
// bounded time. The number of fetches does not depend on the tokens that clients send.

import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  type JWTVerifyResult,
  jwtVerify,
} from 'jose';
import type { Clock } from '../clock.ts';
import { unavailable } from '../errors.ts';
import type { Log } from '../log.ts';
import { logOccasionally } from '../log-occasionally.ts';

/** Age at which the keys are fetched again, if a token is to be verified. With the cache of tokens, it bounds how long a withdrawn key counts. */
const maxAgeMs = 25_000;
/** Minimum time between two fetches once keys are known: within it, a token of a new key is refused. */
const fetchIntervalMs = 5000;
/** The same while no keys are known. Tokens wait for the next fetch. */
const firstFetchIntervalMs = 250;
const fetchTimeoutMs = 3000;

type Keys = ReturnType<typeof createLocalJWKSet>;

export class KeySet {
  readonly #url: URL;
  readonly #log: Log;
  readonly #clock: Clock;
  #keys: Keys | undefined;
  #fetchedAtMs = -Infinity;
  #attemptedAtMs = -Infinity;
  /** Set if the last fetch failed. */
  #failure: Error | undefined;
  #fetching: Promise<Keys> | undefined;

  constructor(url: URL, log: Log, clock: Clock) {
    this.#url = url;
    this.#log = log;
    this.#clock = clock;
  }

  /** Verifies a token. Throws UNAVAILABLE if the keys are not known, and an error of jose if the token is invalid. */
  async verify(token: string, options: JWTVerifyOptions): Promise<JWTVerifyResult> {
    const keys = await this.#current();
    try {
      return await verifyWithAny(keys, token, options);
    } catch (error) {
      this.#logUnusable(error);
      const newer = isOfUnknownKey(error) ? await this.#newerThan(keys) : undefined;
      if (!newer) throw error;
      return await verifyWithAny(newer, token, options).catch((failure: unknown) => {
        this.#logUnusable(failure);
        throw failure;
      });
    }
  }

  #logUnusable(error: unknown): void {
    if (!(error instanceof UnusableKey)) return;
    logOccasionally(this.#log, 'warn', error.cause, 'a key of the host application cannot verify tokens', this.#clock.now());
  }

  async #current(): Promise<Keys> {
    if (!this.#keys) {
      const waitMs = this.#attemptedAtMs + firstFetchIntervalMs - this.#clock.now();
      if (waitMs > 0 && !this.#fetching) await this.#clock.sleep(waitMs);
      return this.#keys ?? this.#fetch();
    }
    const nowMs = this.#clock.now();
    if (nowMs - this.#fetchedAtMs < maxAgeMs || this.#isTooSoon(nowMs)) return this.#keys;
    // While the host application does not answer, the keys that are known stay in use. Only the first fetch that fails is waited for.
    const fetched = this.#fetch().catch(() => this.#keys as Keys);
    return this.#failure ? this.#keys : fetched;
  }

  /** Undefined if there are no newer keys. Throws UNAVAILABLE if the last fetch failed, since the key may be a new one. */
  async #newerThan(keys: Keys): Promise<Keys | undefined> {
    if (this.#keys !== keys) return this.#keys;
    if (!this.#isTooSoon(this.#clock.now())) return this.#fetch();
    if (this.#failure) throw this.#failure;
    return undefined;
  }

  #isTooSoon(nowMs: number): boolean {
    return !this.#fetching && nowMs - this.#attemptedAtMs < fetchIntervalMs;
  }

  /** One fetch at a time, for everyone who waits. */
  #fetch(): Promise<Keys> {
    this.#fetching ??= this.#fetchNow().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchNow(): Promise<Keys> {
    this.#attemptedAtMs = this.#clock.now();
    try {
      const response = await fetch(this.#url, { redirect: 'error', signal: AbortSignal.timeout(fetchTimeoutMs) });
      if (!response.ok) throw new Error(`The host application answered ${response.status}.`);
      this.#keys = createLocalJWKSet((await response.json()) as JSONWebKeySet);
      this.#fetchedAtMs = this.#attemptedAtMs;
      this.#failure = undefined;
      return this.#keys;
    } catch (error) {
      logOccasionally(this.#log, 'warn', error, 'the keys that verify tokens could not be fetched', this.#clock.now());
      this.#failure = unavailable('The keys that verify tokens cannot be fetched: retry.', error);
      throw this.#failure;
    }
  }
}

/** A token that names no key is tried with each key that its algorithm allows. */
async function verifyWithAny(keys: Keys, token: string, options: JWTVerifyOptions): Promise<JWTVerifyResult> {
  try {
    return await verifyWith(keys, token, options);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let unusable: UnusableKey | undefined;
    for await (const key of error) {
      try {
        return await verifyWith(() => key, token, options);
      } catch (failure) {
        if (failure instanceof UnusableKey) unusable = failure;
        else if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
      }
    }
    throw unusable ?? new errors.JWSSignatureVerificationFailed();
  }
}

/** The key that a token is to be verified with is not a key of its algorithm: too short, for example, or not base64url. */
class UnusableKey extends errors.JWSSignatureVerificationFailed {}

/** Verifies a token. What jose does not throw itself is about the key: it comes from Web Crypto, or is a check of its size. */
async function verifyWith(keys: JWTVerifyGetKey, token: string, options: JWTVerifyOptions): Promise<JWTVerifyResult> {
  try {
    return await jwtVerify(token, keys, options);
  } catch (error) {
    throw error instanceof errors.JOSEError ? error : new UnusableKey(undefined, { cause: error });
  }
}

/** The key may be new, or may have been replaced by another one with the same id. */
const isOfUnknownKey = (error: unknown) =>
  error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed;
