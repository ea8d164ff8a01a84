// The composition root: creates the parts of a server, and closes them in reverse order.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from './bus/bus.ts';
import { MemoryBus } from './bus/memory-bus.ts';
import { RedisBus } from './bus/redis-bus.ts';
import { openChat } from './chat/chat.ts';
import { openIdentity } from './chat/identity.ts';
import { Retention } from './chat/retention.ts';
import { type Config, ConfigError } from './config.ts';
import { LiveRooms } from './feed/live-rooms.ts';
import { logSourceOf } from './feed/log-reader.ts';
import { Retry, type RetryOptions } from './feed/retry.ts';
import type { Log } from './log.ts';
import { openStorage, type Storage } from './storage/database.ts';
import { DatabaseHealth } from './storage/health.ts';
import type { Bounds } from './transport/connection.ts';
import { Connections } from './transport/connections.ts';
import { GoneViewers } from './transport/gone-viewers.ts';
import { createHttpDoor } from './transport/http.ts';
import { WebSocketDoor } from './transport/websocket.ts';

/** Time for requests and sockets to end after the server started to close. The remaining connections are then destroyed. */
const closeMs = 12_000;
/** Interval at which a closing server destroys connections without a request. */
const hangUpMs = 50;

export interface App {
  /** URL at which the server listens. */
  readonly url: string;
  readonly storage: Storage;
  readonly liveRooms: LiveRooms;
  readonly retention: Retention;
  /**
   * Closes the server without losing acknowledged messages.
   *
   * 1. Readiness becomes "not ready". Load balancers get `drainDelayMs` to notice, unless `now` or nothing is connected.
   * 2. The server accepts no new connections, and requests under way finish.
   * 3. Sockets and streams are ended in waves, or at once if `now`.
   */
  close(options?: { now?: boolean }): Promise<void>;
}

/** Values that are constant in production and that tests change. */
export interface AppOptions {
  /** Limits on the data that waits for slow clients. */
  readonly bounds?: Partial<Bounds>;
  /** Delays between the retries of feeds. */
  readonly backoff?: RetryOptions['backoff'];
}

/** Opens a server. Throws ConfigError if a setting cannot be used. */
export async function openApp(config: Config, log: Log, { bounds = {}, ...options }: AppOptions = {}): Promise<App> {
  await using opened = new AsyncDisposableStack();
  const storage = opened.use(await openStorage(config.storage, log));
  const bus: Bus = opened.use(config.redisUrl === undefined ? new MemoryBus() : new RedisBus(config.redisUrl, log));
  const health = opened.use(new DatabaseHealth(storage.probe, log));
  const retry = new Retry({ log, isDatabaseAnswering: () => health.state === 'ok', ...options });
  const liveRooms = opened.use(new LiveRooms(logSourceOf(storage.feedDb), bus, retry, log));
  const chat = openChat(storage.db, bus);
  const retention = opened.use(new Retention(chat, config.retentionDays, log));
  const identity = await openIdentity(config.identity, storage);
  const services = { storage, chat, liveRooms, identity, log };

  const connections = opened.use(new Connections(log, bounds));
  opened.use(new GoneViewers(connections, (ids) => storage.feedRows.users(ids), log));
  // Answered from memory, because load balancers ask often. The database does not count: if it is down, it is down for all nodes.
  const readiness = () => {
    const closing = connections.draining;
    return {
      ready: !closing,
      database: health.state,
      redis: config.redisUrl === undefined ? 'unused' : bus.healthy ? 'ok' : 'degraded',
      closing,
      unknownEntryTypes: liveRooms.unknownTypes,
      counts: { redis: bus.counts, feed: liveRooms.counts, sockets: connections.counts },
    };
  };
  const server = createServer(createHttpDoor(config, services, readiness, connections));
  // Longer than the idle timeout of common load balancers, so that none sends a request on a connection that is closing.
  server.keepAliveTimeout = 65_000;
  server.on('connection', connections.add);
  server.on('upgrade', new WebSocketDoor(config, services, connections).upgrade);
  await listen(server, config);
  const toClose = opened.move();

  return {
    url: urlOf(server, config.host),
    storage,
    liveRooms,
    retention,
    async close({ now = false } = {}) {
      connections.drain();
      if (!now && connections.size > 0) await sleep(config.drainDelayMs);
      const ended = new Promise((resolve) => server.close(resolve));
      // Connections that wait for their next request, and those that wait for their first, which Node does not count as idle.
      const hangUp = setInterval(() => {
        server.closeIdleConnections();
        connections.destroy('unused');
      }, hangUpMs);
      await Promise.race([Promise.all([connections.end({ now }), ended]), sleep(closeMs, undefined, { ref: false })]);
      clearInterval(hangUp);
      connections.destroy('all');
      await ended;
      await toClose.disposeAsync();
    },
  };
}

async function listen(server: Server, { port, host }: Config): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen({ port, host }, resolve);
  try {
    await promise;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new ConfigError(`PORT ${port} is in use by another program: stop that one, or set another PORT.`);
    if (code === 'EACCES') throw new ConfigError(`PORT ${port} may not be opened by this user: set a PORT of 1024 or more.`);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') throw new ConfigError(`HOST ${host} is not an address of this machine.`);
    throw error;
  }
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host === '127.0.0.1' || host === '0.0.0.0' || host === '::' ? 'localhost' : host}:${port}`;
}
