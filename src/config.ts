// Every setting of the server. The environment is read here and nowhere else.

import { isIP } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import { z } from 'zod';
import { findProblem } from './config/database-url.ts';
import { ConfigError } from './config/error.ts';
import { type IdentityConfig, readIdentity } from './config/identity.ts';
import { findMisspelled, type Misspelled } from './config/misspelled.ts';
import { normalizeHost, normalizeOrigin } from './config/origins.ts';
import { rateLimitSettings, readLimits } from './config/rate-limits.ts';
import { findRedisProblem } from './config/redis-url.ts';
import { fileSetting, readSecretFiles } from './config/secret-files.ts';
import type { LimitValues } from './rate-limits.ts';

export { ConfigError, type IdentityConfig };

export interface Config {
  readonly port: number;
  readonly host: string;
  readonly logLevel: string;
  /** The database: PGlite in a folder, or PostgreSQL. */
  readonly storage: { readonly dataDir: string } | ServerConfig;
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
  /** Multiplies every limit on how often something may be done. Infinity: there are none. */
  readonly rateLimits: number;
  /** The limits for each user and address, multiplied or set by themselves. */
  readonly limits: LimitValues;
  /** Whose forwarded headers are believed: those of this many proxies, or of the proxies in these networks. */
  readonly trustedProxies: number | readonly string[];
  /** How long a server that is shutting down keeps serving, so that balancers notice that it is not ready. */
  readonly drainDelayMs: number;
}

export interface ServerConfig {
  readonly databaseUrl: string;
  readonly poolSize: number;
  /** The schema of all tables. Undefined: `public`. */
  readonly schema?: string;
  /** False: no statement is prepared under a name. */
  readonly preparesStatements?: boolean;
}

const whole = (min: number, max: number, what = 'a whole number') =>
  z
    .string()
    .refine((value) => /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max, `must be ${what} from ${min} to ${max}`)
    .transform(Number);
/** The URL of the keys. `fetch` sends no user and password of a URL. */
function findKeysProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\//i.test(text)) return 'must be a URL that starts with https:// or http://';
  if (url.username !== '' || url.password !== '') return 'must not contain a user or password';
  return undefined;
}
/** `find` returns why a value cannot be used: the rest of a sentence that begins with the name of the setting. */
const checkedBy = (find: (value: string) => string | undefined) =>
  z
    .string()
    .trim()
    .superRefine((value, context) => {
      const problem = find(value);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    });
/** White space at the end, such as the line break of a file, is not part of it. */
const trimmed = z.string().transform((value) => value.trimEnd());
const claim = trimmed.pipe(z.string().min(1, 'must not be blank'));
const schemaName = z
  .string()
  .refine((name) => Buffer.byteLength(name) <= 63 && !/\0/.test(name), 'must be a name of at most 63 bytes')
  .refine((name) => name === name.trim(), 'must not begin or end with white space')
  .refine((name) => !/^(pg_|information_schema$)/.test(name), 'must not be a schema of PostgreSQL itself');
const networksOf = (value: string) => value.split(',').map((network) => network.trim());
const namedNetworks = ['loopback', 'linklocal', 'uniquelocal'];
function isNetworkList(value: string): boolean {
  const networks = networksOf(value);
  try {
    proxyAddr.compile(networks);
    // The library also reads a whole number as an address.
    return networks.every((network) => namedNetworks.includes(network) || isIP(network.split('/', 1)[0] as string) !== 0);
  } catch {
    return false;
  }
}

const jwtSecret = trimmed.refine((secret) => Buffer.byteLength(secret) >= 32, 'must be at least 32 bytes long');
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
  DATABASE_URL: checkedBy(findProblem).optional(),
  DATABASE_POOL_SIZE: whole(2, 1000).default(10),
  DATABASE_SCHEMA: schemaName.optional(),
  DATABASE_PREPARE: z.enum(['auto', 'off'], 'must be auto or off').default('auto'),
  REDIS_URL: checkedBy(findRedisProblem).optional(),
  IDENTITY: z.enum(['guest', 'jwt'], 'must be guest or jwt').optional(),
  JWT_SECRET: jwtSecret.optional(),
  JWT_SECRET_PREVIOUS: jwtSecret.optional(),
  JWT_JWKS_URL: checkedBy(findKeysProblem).optional(),
  JWT_ISSUER: claim.optional(),
  JWT_AUDIENCE: claim.optional(),
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
  RATE_LIMITS: z
    .union([z.literal('off').transform(() => Number.POSITIVE_INFINITY), z.coerce.number().positive()], 'must be off or a number above 0')
    .default(1),
  TRUST_PROXY: z
    .string()
    .refine((value) => /^\d$/.test(value) || isNetworkList(value), {
      error: 'must be a number of proxies from 0 to 9, or their addresses or networks, separated by commas, such as 10.0.0.0/8',
    })
    .transform((value) => (/^\d$/.test(value) ? Number(value) : networksOf(value)))
    .default(0),
  DRAIN_DELAY_MS: whole(0, 10_000, 'a number of milliseconds').default(5000),
});

/** The settings that can be read from a file. */
const secretNames = ['DATABASE_URL', 'REDIS_URL', 'JWT_SECRET', 'JWT_SECRET_PREVIOUS'] as const satisfies (keyof typeof settings.shape)[];

/** The names of all settings. */
export const settingNames = [...Object.keys(settings.shape), ...secretNames.map(fileSetting), ...rateLimitSettings];

type Env = Readonly<Record<string, string | undefined>>;

/** The variables that look like a setting but are none. */
export const findMisspelledSettings = (env: Env): Misspelled[] => findMisspelled(env, settingNames);

export function readConfig(env: Env): Config {
  // An empty value counts as unset, as in `PORT= npm start` or a blank value in a compose file.
  const given = Object.fromEntries(
    Object.entries(readSecretFiles(env, secretNames)).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = settings.safeParse(given);
  const { limits, problems: limitProblems } = readLimits(given, parsed.data?.RATE_LIMITS ?? 1);
  const problems = (parsed.error?.issues ?? []).map((issue) => `${String(issue.path[0])} ${issue.message}.`);
  if (!parsed.success || limitProblems.length > 0) throw new ConfigError([...problems, ...limitProblems].join('\n'));
  const value = parsed.data;
  if (value.DATABASE_URL === undefined) requireEmbedded(env, value);
  return {
    port: value.PORT,
    host: value.HOST,
    logLevel: value.LOG_LEVEL,
    storage:
      value.DATABASE_URL === undefined
        ? { dataDir: value.DATA_DIR }
        : {
            databaseUrl: value.DATABASE_URL,
            poolSize: value.DATABASE_POOL_SIZE,
            ...(value.DATABASE_SCHEMA === undefined ? {} : { schema: value.DATABASE_SCHEMA }),
            ...(value.DATABASE_PREPARE === 'off' ? { preparesStatements: false } : {}),
          },
    redisUrl: value.REDIS_URL,
    identity: readIdentity(value),
    basePath: value.BASE_PATH,
    allowedOrigins: value.ALLOWED_ORIGINS,
    allowedHosts: value.ALLOWED_HOSTS,
    introspection: value.INTROSPECTION,
    graphiql: value.GRAPHIQL,
    retentionDays: value.RETENTION_DAYS,
    rateLimits: value.RATE_LIMITS,
    limits,
    trustedProxies: value.TRUST_PROXY,
    drainDelayMs: value.DRAIN_DELAY_MS,
  };
}

/** Without DATABASE_URL, the embedded database is used. Throws if the other settings show that this is not meant. */
function requireEmbedded(env: Env, value: z.infer<typeof settings>): void {
  const misspelled = findMisspelledSettings(env).find(({ setting }) => setting.startsWith('DATABASE_URL'));
  if (misspelled) throw new ConfigError(`${misspelled.name} is not a setting: rename it to ${misspelled.setting}, or unset it.`);
  if (value.REDIS_URL !== undefined) {
    throw new ConfigError('REDIS_URL is set but DATABASE_URL is not: several nodes need one PostgreSQL to share.');
  }
  if (value.DATABASE_SCHEMA !== undefined) {
    throw new ConfigError('DATABASE_SCHEMA is set but DATABASE_URL is not: the embedded database has one schema.');
  }
}
