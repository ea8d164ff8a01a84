// The composition root: opens everything that a server consists of, and closes it in reverse order.

import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from './bus/bus.ts';
import { ChangeStream } from './bus/change-stream.ts';
import { MemoryBus } from './bus/memory-bus.ts';
import { RedisBus } from './bus/redis-bus.ts';
import { openChat } from './chat/chat.ts';
import { openIdentity } from './chat/identity.ts';
import { Retention } from './chat/retention.ts';
import { Revocations } from './chat/revocations.ts';
import type { SenderMarkers } from './chat/sender-markers.ts';
import { type Clock, realClock } from './clock.ts';
import { type Config, ConfigError } from './config.ts';
import { Accounts } from './feed/accounts.ts';
import { LiveRooms } from './feed/live-rooms.ts';
import { logSourceOf } from './feed/log-reader.ts';
import { Retry, type RetryOptions } from './feed/retry.ts';
import { Limits } from './limits/limits.ts';
import { RefusalLog } from './limits/refusal-log.ts';
import type { Log } from './log.ts';
import { openStorage, type Storage } from './storage/database.ts';
import { DatabaseIdentity } from './storage/database-identity.ts';
import { DatabaseHealth } from './storage/health.ts';
import type { Bounds } from './transport/connection.ts';
import { Connections } from './transport/connections.ts';
import { countedRequests } from './transport/counted-request.ts';
import { openDoors } from './transport/doors.ts';
import { GoneViewers } from './transport/gone-viewers.ts';
import { createHttpHandler } from './transport/http.ts';
import { RevokedViewers } from './transport/revoked-viewers.ts';
import { WebSocketEndpoint } from './transport/websocket.ts';

/** How long requests and sockets may take to end after the server has asked them to. */
const closeMs = 12_000;
/** How long closing the database and Redis may take: a silent database does not confirm it. */
const disposeMs = 3000;
/** How often a server that is closing closes the connections that have become idle. */
const closeIdleMs = 50;

export interface App {
  readonly url: string;
  readonly storage: Storage;
  readonly liveRooms: LiveRooms;
  readonly accounts: Accounts;
  readonly retention: Retention;
  readonly senderMarkers: SenderMarkers;
  /**
   * Stops without losing anything.
   *
   * 1. The server is not ready, and waits for the balancer, unless `now` or if nothing is open.
   * 2. It accepts no connection. Requests finish. Sockets and streams end in waves, or at once if `now`.
   * 3. It closes the bus and the database.
   */
  close(options?: { now?: boolean }): Promise<void>;
}

/** How long a client may take to send a request. */
export interface RequestLimits {
  readonly headersMs: number;
  /** From the first byte of the headers to the last one of the body. */
  readonly requestMs: number;
  /** How often the connections are checked. A client that is too slow gets 408, and its connection is closed. */
  readonly checkMs: number;
}

export const requestLimits: RequestLimits = { headersMs: 10_000, requestMs: 30_000, checkMs: 1000 };

/** Values that are constant in production and that tests change. */
export interface AppOptions {
  readonly requestLimits?: RequestLimits;
  /** Limits on the data that waits for slow clients. */
  readonly bounds?: Partial<Bounds>;
  /** Delays between the retries of feeds. */
  readonly backoff?: RetryOptions['backoff'];
  readonly clock?: Clock;
}

/** Opens a server. Throws ConfigError, whose message is a sentence for the operator, if a setting cannot be used. */
export async function openApp(config: Config, log: Log, options: AppOptions = {}): Promise<App> {
  const { bounds = {}, backoff, clock = realClock, requestLimits: times = requestLimits } = options;
  await using opened = new AsyncDisposableStack();
  const storage = opened.use(await openStorage(config.storage, log));
  const { redisUrl } = config;
  const identityOfDatabase = redisUrl === undefined ? undefined : opened.use(await DatabaseIdentity.open(storage.feedDb, clock));
  const redis = redisUrl !== undefined && identityOfDatabase ? { url: redisUrl, databaseId: () => identityOfDatabase.id } : undefined;
  const bus: Bus = opened.use(redis ? new RedisBus(redis, log, clock) : new MemoryBus());
  const health = opened.use(new DatabaseHealth(storage.probe, log, clock));
  const retry = new Retry({ log, isDatabaseAnswering: () => health.state === 'ok', backoff, clock });
  const liveRooms = opened.use(new LiveRooms(logSourceOf(storage.feedDb), bus, retry, log, { clock }));
  const chat = openChat(storage.db, bus, clock);
  const senderMarkers = opened.use(chat.senderMarkers);
  const retention = opened.use(new Retention(chat, config.retentionDays, log, clock));
  const changes = opened.use(await ChangeStream.open(storage.feedDb, bus, log, clock));
  const accounts = opened.use(new Accounts(storage, changes, retry, clock));
  const revocations = opened.use(await Revocations.open(storage.db, changes, bus, log, clock));
  const identity = await openIdentity(config.identity, { storage, revocations, log, clock });
  const refusals = opened.use(new RefusalLog(log, clock));
  const limits = opened.use(new Limits(config.limits, redis, refusals, log, clock));
  const services = { storage, chat, liveRooms, accounts, identity, limits, log };

  const connections = opened.use(new Connections(log, bounds, clock, config.rateLimits));
  opened.use(new GoneViewers(connections, (ids) => storage.feedRows.users(ids), log, clock));
  opened.use(new RevokedViewers(connections, revocations, clock));
  // Read from memory, because balancers probe often. A node is ready while its database is away, because the other nodes use
  // the same database.
  const readiness = () => {
    const closing = connections.draining;
    return {
      ready: !closing,
      database: health.state,
      databaseFailure: codeOf(health.failure ?? storage.connections.refusal),
      redis: redis === undefined ? 'unused' : bus.healthy ? 'ok' : 'degraded',
      closing,
      unknownEntryTypes: liveRooms.unknownTypes,
      counts: {
        database: storage.connections.counts,
        redis: bus.counts,
        feed: liveRooms.counts,
        changes: changes.counts,
        accounts: accounts.counts,
        sockets: connections.counts,
      },
    };
  };
  const server = createServer({
    // Longer than balancers keep an idle connection, so that they do not send a request into one that is closing.
    keepAliveTimeout: 65_000,
    headersTimeout: times.headersMs,
    requestTimeout: times.requestMs,
    connectionsCheckingInterval: times.checkMs,
    shouldUpgradeCallback: WebSocketEndpoint.wants,
    IncomingMessage: countedRequests(connections.disconnectFlooding),
  });
  const { address } = await listen(server, config);
  // No connection is accepted before this turn of the event loop has ended.
  const doors = openDoors(config, address, refusals, clock);
  server.on('request', createHttpHandler(config, services, readiness, connections, doors));
  server.on('connection', connections.add);
  server.on('upgrade', new WebSocketEndpoint(config, services, connections, doors).upgrade);
  const toClose = opened.move();

  return {
    url: urlOf(server, config),
    storage,
    liveRooms,
    accounts,
    retention,
    senderMarkers,
    async close({ now = false } = {}) {
      connections.drain();
      if (!now && connections.size > 0) await sleep(config.drainDelayMs);
      const ended = new Promise((resolve) => server.close(resolve));
      // Closes idle connections. closeIdleConnections() does not include connections that have not sent a request yet.
      const closeIdle = setInterval(() => {
        server.closeIdleConnections();
        connections.destroy('unused');
      }, closeIdleMs);
      await Promise.race([Promise.all([connections.end({ now }), ended]), clock.sleep(closeMs)]);
      clearInterval(closeIdle);
      connections.destroy('all');
      await ended;
      await Promise.race([toClose.disposeAsync(), sleep(disposeMs, undefined, { ref: false })]);
    },
  };
}

/** The code of why the database is away or refuses connections, such as 53300 or ECONNREFUSED. Its message may name hosts and roles. */
const codeOf = (failure: unknown) => (failure === undefined ? undefined : ((failure as { code?: string }).code ?? 'unknown'));

/** Returns the address that the server listens on. */
async function listen(server: Server, { port, host }: Config): Promise<AddressInfo> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen({ port, host }, resolve);
  try {
    await promise;
    return server.address() as AddressInfo;
  } catch (error) {
    throw refusalToListen(error as NodeJS.ErrnoException, port, host);
  }
}

function refusalToListen({ code, message }: NodeJS.ErrnoException, port: number, host: string): ConfigError {
  if (code === 'EADDRINUSE') return new ConfigError(`PORT ${port} is in use by another program: stop that one, or set another PORT.`);
  if (code === 'EACCES') return new ConfigError(`PORT ${port} may not be opened by this user: set a PORT of 1024 or more.`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return new ConfigError(`HOST ${host} is not an address of this machine.`);
  const hint = code === 'EINVAL' && /^fe80:/i.test(host) ? `: add the interface to it, as in ${host}%eth0` : '';
  return new ConfigError(`HOST ${host} and PORT ${port} cannot be listened on: ${message}${hint}.`);
}

/** An address at which a browser on this machine finds the server. */
function urlOf(server: Server, { host, basePath }: Config): string {
  const { port } = server.address() as AddressInfo;
  const { hostname } = URL.parse(`http://${isIPv6(host) ? `[${host}]` : host}`) ?? { hostname: host };
  const name = ['127.0.0.1', '0.0.0.0', '[::]'].includes(hostname) ? 'localhost' : hostname;
  return `http://${name}:${port}${basePath}`;
}
