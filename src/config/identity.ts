// Who identifies users: this server, which knows guests by name, or a host application, whose tokens it verifies with a key. Settings
// that contradict each other are refused, so that nobody lets in guests by mistake.

import { ConfigError } from './error.ts';

export type IdentityConfig =
  | { readonly mode: 'guest' }
  | {
      readonly mode: 'jwt';
      readonly key: { readonly secret: string; readonly previousSecret?: string } | { readonly jwksUrl: URL };
      readonly issuer: string | undefined;
      readonly audience: string | undefined;
    };

/** The settings that decide it. */
interface IdentitySettings {
  readonly IDENTITY?: 'guest' | 'jwt' | undefined;
  readonly JWT_SECRET?: string | undefined;
  readonly JWT_SECRET_PREVIOUS?: string | undefined;
  readonly JWT_JWKS_URL?: string | undefined;
  readonly JWT_ISSUER?: string | undefined;
  readonly JWT_AUDIENCE?: string | undefined;
  /** With a database that others share, guests have to be allowed by name. */
  readonly DATABASE_URL?: string | undefined;
}

export function readIdentity(value: IdentitySettings): IdentityConfig {
  const {
    JWT_SECRET: secret,
    JWT_SECRET_PREVIOUS: previousSecret,
    JWT_JWKS_URL: jwksUrl,
    JWT_ISSUER: issuer,
    JWT_AUDIENCE: audience,
  } = value;
  if (secret !== undefined && jwksUrl !== undefined) throw new ConfigError('JWT_SECRET and JWT_JWKS_URL are both set: set one of them.');
  if (previousSecret !== undefined && secret === undefined) {
    throw new ConfigError('JWT_SECRET_PREVIOUS is set without JWT_SECRET: set the new secret as JWT_SECRET.');
  }
  const key =
    secret !== undefined
      ? { secret, ...(previousSecret === undefined ? {} : { previousSecret }) }
      : jwksUrl !== undefined
        ? { jwksUrl: new URL(jwksUrl) }
        : undefined;

  if (value.IDENTITY === 'guest') {
    if (key) throw new ConfigError('IDENTITY is guest, but JWT_SECRET or JWT_JWKS_URL is set: remove one of the two.');
    if (issuer !== undefined || audience !== undefined) {
      throw new ConfigError('IDENTITY is guest, but JWT_ISSUER or JWT_AUDIENCE is set: remove one of the two.');
    }
    return { mode: 'guest' };
  }
  if (key) return { mode: 'jwt', key, issuer, audience };
  if (value.IDENTITY === 'jwt') throw new ConfigError('IDENTITY is jwt: set JWT_SECRET or JWT_JWKS_URL as well.');
  if (issuer !== undefined || audience !== undefined) {
    throw new ConfigError('JWT_ISSUER or JWT_AUDIENCE is set without a key: set JWT_SECRET or JWT_JWKS_URL as well.');
  }
  if (value.DATABASE_URL !== undefined) {
    throw new ConfigError(
      'IDENTITY is not set: with DATABASE_URL, set JWT_SECRET or JWT_JWKS_URL, or IDENTITY=guest to let anyone in by name.',
    );
  }
  return { mode: 'guest' };
}
