// Every setting of the server. The environment is read here and nowhere else.

import { z } from 'zod';
import { normalizeHost, normalizeOrigin } from './config/origins.ts';

/** A setting is wrong or missing. The message is a sentence for the operator that names the variable. */
export class ConfigError extends Error {}

export interface Config {
  readonly port: number;
  readonly host: string;
  readonly logLevel: string;
  /** The database: PGlite in a folder, or PostgreSQL. */
  readonly storage: { readonly dataDir: string } | { readonly databaseUrl: string; readonly poolSize: number };
  /** Undefined: the bus is in process. */
  readonly redisUrl: string | undefined;
  readonly identity: IdentityConfig;
  /** The path that everything is served under, such as `/chat`. Empty: the root. */
  readonly basePath: string;
  /** Origins other than the server's own that may call it from a browser, such as `https://app.example` or `https://*.app.example`. */
  readonly allowedOrigins: readonly string[];
  /** Names that the server answers to, such as `chat.example`. Empty: depends on the address that it listens on. */
  readonly allowedHosts: readonly string[];
  /** Whether operations may select `__schema` and `__type`. */
  readonly introspection: boolean;
  readonly graphiql: boolean;
  /** Undefined: nothing is removed. */
  readonly retentionDays: number | undefined;
  /** How long a server that is shutting down keeps serving, so that balancers notice that it is not ready. */
  readonly drainDelayMs: number;
}

export type IdentityConfig =
  | { readonly mode: 'guest' }
  | {
      readonly mode: 'jwt';
      readonly key: { readonly secret: string } | { readonly jwksUrl: URL };
      readonly issuer: string | undefined;
      readonly audience: string | undefined;
    };

const whole = (min: number, max: number, what = 'a whole number') =>
  z
    .string()
    .refine((value) => /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max, `must be ${what} from ${min} to ${max}`)
    .transform(Number);
const url = (protocols: string[]) =>
  z.string().refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
    error: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  });
// libpq accepts several hosts, as in postgres://a,b/db and ?host=a,b. pg (https://node-postgres.com) reads them as one name.
const namesSeveralHosts = (value: string) => {
  const [, hosts, query] = /^\w+:\/\/(?:[^/?#]*@)?([^/?#]*)[^?#]*\??([^#]*)/.exec(value) ?? [];
  return [hosts, ...new URLSearchParams(query).getAll('host')].some((host) => host?.includes(','));
};
const oneHost = z.string().refine((value) => !namesSeveralHosts(value), {
  error:
    'names several hosts, but only one is supported: use a name or address that follows the primary (DNS, a virtual IP, or a proxy such as HAProxy)',
});
/** A list, separated by commas. `normalize` returns undefined for an item that is wrong, and `problem` says why. */
const list = (normalize: (item: string) => string | undefined, problem: string) =>
  z
    .string()
    .transform((text) => text.split(',').flatMap((item) => item.trim() || []))
    .pipe(
      z.array(
        z.string().transform((item, { addIssue }) => {
          const normal = normalize(item);
          if (normal === undefined) addIssue(`has "${item}", which ${problem}`);
          return normal ?? z.NEVER;
        }),
      ),
    )
    .default([]);
const onOrOff = z
  .enum(['on', 'off'], 'must be on or off')
  .default('on')
  .transform((value) => value === 'on');

const settings = z.object({
  PORT: whole(0, 65_535, 'a port').default(4000),
  HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'must be fatal, error, warn, info, debug, trace or silent')
    .default('info'),
  DATA_DIR: z.string().default('data'),
  DATABASE_URL: oneHost.pipe(url(['postgres:', 'postgresql:'])).optional(),
  DATABASE_POOL_SIZE: whole(2, 1000).default(10),
  REDIS_URL: url(['redis:', 'rediss:']).optional(),
  IDENTITY: z.enum(['guest', 'jwt'], 'must be guest or jwt').optional(),
  JWT_SECRET: z
    .string()
    .refine((secret) => Buffer.byteLength(secret) >= 32, 'must be at least 32 bytes long')
    .optional(),
  JWT_JWKS_URL: url(['https:', 'http:']).optional(),
  JWT_ISSUER: z.string().optional(),
  JWT_AUDIENCE: z.string().optional(),
  BASE_PATH: z
    .string()
    .regex(/^(\/(?!\.{1,2}(\/|$))[\w.~-]+)+$/, 'must be a path such as /chat, without a slash at its end')
    .default(''),
  ALLOWED_ORIGINS: list(
    normalizeOrigin,
    'is not an origin such as https://app.example, https://*.app.example or capacitor://localhost: write no path and no slash after the host',
  ),
  ALLOWED_HOSTS: list(normalizeHost, 'is not the name of a host such as chat.example or *.chat.example: write neither a scheme nor a port'),
  INTROSPECTION: onOrOff,
  GRAPHIQL: onOrOff,
  RETENTION_DAYS: z.coerce
    .number('must be a number of days')
    .positive('must be more than 0')
    .max(36_500, 'must be at most 36500')
    .optional(),
  DRAIN_DELAY_MS: whole(0, 10_000, 'a number of milliseconds').default(5000),
});

/** The names of all settings. */
export const settingNames = Object.keys(settings.shape);

export function readConfig(env: Record<string, string | undefined>): Config {
  // An empty value counts as unset, as in `PORT= npm start` or a blank value in a compose file.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = settings.safeParse(given);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}.`).join('\n'));
  const value = parsed.data;
  if (value.REDIS_URL !== undefined && value.DATABASE_URL === undefined) {
    throw new ConfigError('REDIS_URL is set but DATABASE_URL is not: several nodes need one PostgreSQL to share.');
  }
  return {
    port: value.PORT,
    host: value.HOST,
    logLevel: value.LOG_LEVEL,
    storage:
      value.DATABASE_URL === undefined
        ? { dataDir: value.DATA_DIR }
        : { databaseUrl: value.DATABASE_URL, poolSize: value.DATABASE_POOL_SIZE },
    redisUrl: value.REDIS_URL,
    identity: readIdentity(value),
    basePath: value.BASE_PATH,
    allowedOrigins: value.ALLOWED_ORIGINS,
    allowedHosts: value.ALLOWED_HOSTS,
    introspection: value.INTROSPECTION,
    graphiql: value.GRAPHIQL,
    retentionDays: value.RETENTION_DAYS,
    drainDelayMs: value.DRAIN_DELAY_MS,
  };
}

function readIdentity(value: z.infer<typeof settings>): IdentityConfig {
  const { JWT_SECRET: secret, JWT_JWKS_URL: jwksUrl, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = value;
  if (secret !== undefined && jwksUrl !== undefined) throw new ConfigError('JWT_SECRET and JWT_JWKS_URL are both set: set one of them.');
  const key = secret !== undefined ? { secret } : jwksUrl !== undefined ? { jwksUrl: new URL(jwksUrl) } : undefined;

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
