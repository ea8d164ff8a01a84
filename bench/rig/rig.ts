// Everything that runs besides the load: PostgreSQL and Redis during the whole benchmark, and one contender at a time.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender.ts';
import { type Cores, takeLoadCore } from './cores.ts';
import { Server } from './server.ts';
import { Services } from './services.ts';
import { busyNsOf } from './usage.ts';

/** If more of the load's core is used than this share, the load may have been the bottleneck. */
const busyShare = 0.9;
/** If other programs use more of the two cores than this share, the measurement is disturbed. */
const disturbedShare = 0.1;
/** Timeout of one measurement. A contender that hangs is recorded as failed. */
const maxWorkMs = 300_000;

export interface Measured<T> {
  readonly result: T;
  readonly seconds: number;
  /** CPU time of the servers, in microseconds. */
  readonly serverUs: number;
  readonly doubts: Doubts;
}

/** Reasons to doubt a measurement. */
export interface Doubts {
  /** The load's core, with the load, PostgreSQL and Redis, was fully used. The server could have done more. */
  readonly loadBound: boolean;
  /** Another program, or another guest of the same machine, used much of the cores. */
  readonly disturbed: boolean;
}

export class Rig implements AsyncDisposable {
  readonly cores: Cores;
  readonly services: Services;
  readonly #servers = new Set<Server>();

  private constructor(cores: Cores, services: Services) {
    this.cores = cores;
    this.services = services;
  }

  /** Starts PostgreSQL and Redis. SIGINT and SIGTERM stop them and the servers. */
  static async start(): Promise<Rig> {
    const cores = takeLoadCore();
    const rig = new Rig(cores, await Services.start());
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void rig[Symbol.asyncDispose]().finally(() => process.exit(1)));
    }
    return rig;
  }

  /**
   * Runs `work` with one or several nodes of a contender, on a new database. Throws if a node ends meanwhile or the work takes
   * too long.
   */
  async with<T>(contender: Contender, work: (server: Server, ...others: Server[]) => Promise<T>, nodes = 1): Promise<T> {
    await using started = new AsyncDisposableStack();
    const database = started.use(await this.services.createDatabase());
    const environment = { core: this.cores.server, databaseUrl: database.url, redisUrl: this.services.redisUrl };
    const servers: Server[] = [];
    for (let node = 0; node < nodes; node += 1) {
      const server = started.use(await Server.start(contender, environment));
      this.#servers.add(server);
      started.defer(() => void this.#servers.delete(server));
      servers.push(server);
    }
    const late = sleep(maxWorkMs, undefined, { ref: false }).then(() => {
      throw new Error(`The measurement timed out after ${maxWorkMs / 60_000} minutes.`);
    });
    return await Promise.race([work(...(servers as [Server])), late, ...servers.map(({ failed }) => failed)]);
  }

  /** Runs `work` and measures its cost. */
  async measure<T>(servers: readonly Pick<Server, 'cpuNs'>[], work: () => Promise<T>): Promise<Measured<T>> {
    const read = () => {
      const { user, system } = process.cpuUsage();
      return {
        wallNs: performance.now() * 1e6,
        serverNs: servers.reduce((sum, server) => sum + server.cpuNs(), 0),
        loadNs: (user + system) * 1000 + this.services.cpuNs(),
        busyNs: busyNsOf([this.cores.server, this.cores.load]),
      };
    };
    const before = read();
    const result = await work();
    const after = read();
    const wallNs = after.wallNs - before.wallNs;
    const serverNs = after.serverNs - before.serverNs;
    const loadNs = after.loadNs - before.loadNs;
    const othersNs = after.busyNs - before.busyNs - serverNs - loadNs;
    return {
      result,
      seconds: wallNs / 1e9,
      serverUs: serverNs / 1000,
      doubts: { loadBound: loadNs / wallNs >= busyShare, disturbed: othersNs / (2 * wallNs) >= disturbedShare },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server[Symbol.asyncDispose]()));
    await this.services[Symbol.asyncDispose]();
  }
}
