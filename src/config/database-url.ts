// Reads DATABASE_URL as libpq does, also where WHATWG's URL cannot: a socket without a host, and any character in a password
// (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS). No error contains the user or password.

import { isIPv6 } from 'node:net';
import { ConfigError } from './error.ts';

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const;
export type SslMode = (typeof sslModes)[number];

/** What a DATABASE_URL names. What it leaves out has the default of libpq, such as PGUSER. */
export interface DatabaseAddress {
  /** A name, an IP address, or the folder of a Unix socket. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly sslMode: SslMode | undefined;
  /** Paths of files: the certificates of the authority, and those of the client and its key. */
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  readonly applicationName: string | undefined;
  /** Command-line options for the server, such as `-c geqo=off`. */
  readonly options: string | undefined;
  /** The schema that Prisma or JDBC would use, which has no effect here: DATABASE_SCHEMA names it. */
  readonly foreignSchema: string | undefined;
}

/** Why a URL cannot be used: the rest of a sentence that begins with the name of the setting. */
class UrlProblem extends Error {}

const scheme = 'must be a URL that starts with postgres:// or postgresql://';
const encoded =
  'cannot be read: in the user, the password and the name of the database, write / as %2F, ? as %3F, # as %23, @ as %40 and % as %25';
const oneHost =
  'names several hosts, but only one is supported: use a name or address that follows the primary (DNS, a virtual IP, or a proxy such as HAProxy)';

/** Undefined if the URL can be used. */
export function findProblem(text: string): string | undefined {
  try {
    parse(text);
    return undefined;
  } catch (error) {
    if (error instanceof UrlProblem) return error.message;
    throw error;
  }
}

export function parseDatabaseUrl(text: string): DatabaseAddress {
  try {
    return parse(text);
  } catch (error) {
    throw error instanceof UrlProblem ? new ConfigError(`DATABASE_URL ${error.message}.`) : error;
  }
}

function parse(text: string): DatabaseAddress {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/is.exec(text.trim()) ?? [];
  if (rest === undefined) throw new UrlProblem(scheme);
  const [matched, authority = '', path = '', query = ''] = /^([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(rest) ?? [];
  // After a / or ? of the password, the rest of the authority looks like a path or a parameter.
  if (matched === undefined || path.includes('@') || /^[^=&]*@/.test(query)) throw new UrlProblem(encoded);
  const parameters = new URLSearchParams(query);
  const parameter = (name: string) => parameters.get(name) || undefined;

  const at = authority.lastIndexOf('@');
  const [, user = '', password] = /^([^:]*)(?::(.*))?$/s.exec(authority.slice(0, Math.max(0, at))) ?? [];
  const server = authority.slice(at + 1);
  if (server.includes(',') || parameters.getAll('host').some((host) => host.includes(','))) throw new UrlProblem(oneHost);
  const { host, port } = parseServer(server);
  return {
    host: parameter('host') ?? host,
    port: parsePort(parameter('port')) ?? port,
    user: parameter('user') ?? (decode(user) || undefined),
    password: parameter('password') ?? (password === undefined ? undefined : decode(password)),
    database: parameter('dbname') ?? (decode(path) || undefined),
    sslMode: parseSslMode(parameters),
    sslRootCert: parameter('sslrootcert'),
    sslCert: parameter('sslcert'),
    sslKey: parameter('sslkey'),
    applicationName: parameter('application_name'),
    options: parameter('options'),
    foreignSchema: parameter('schema') ?? parameter('currentSchema'),
  };
}

function parseServer(server: string): Pick<DatabaseAddress, 'host' | 'port'> {
  if (isIPv6(server)) throw new UrlProblem('has an IPv6 address without brackets: write it as [::1]');
  const [matched, address, name, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(server) ?? [];
  if (matched === undefined || (address !== undefined && !isIPv6(address))) throw new UrlProblem(encoded);
  return { host: address ?? (decode(name ?? '') || undefined), port: parsePort(port) };
}

function parsePort(port: string | undefined): number | undefined {
  if (port === undefined || port === '') return undefined;
  if (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535) return Number(port);
  // Not quoted, because it is part of the password if that contains a / which is not encoded.
  throw new UrlProblem(`${encoded}; and the port must be a number from 1 to 65535`);
}

function parseSslMode(parameters: URLSearchParams): SslMode | undefined {
  const mode = parameters.get('sslmode') ?? aliases[parameters.get('ssl') ?? ''] ?? parameters.get('ssl') ?? '';
  if (mode === '') return undefined;
  const found = sslModes.find((each) => each === mode);
  if (!found) throw new UrlProblem(`has an unknown sslmode: use ${sslModes.slice(0, -1).join(', ')} or ${sslModes.at(-1)}`);
  return found;
}

/** The values of `ssl`, which pg (https://node-postgres.com) knows beside `sslmode`. */
const aliases: Record<string, SslMode> = { true: 'verify-full', 1: 'verify-full', false: 'disable', 0: 'disable' };

/** Decodes what is percent-encoded. Any other % stands for itself. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      throw new UrlProblem(encoded);
    }
  });
}
