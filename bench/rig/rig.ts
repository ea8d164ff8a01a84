// Everything that runs beside the load: PostgreSQL and Redis for the whole benchmark, and one server at a time.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender.ts';
import { type Cores, takeLoadCore } from './cores.ts';
import { Server } from './server.ts';
import { Services } from './services.ts';
import { busyNsOf } from './usage.ts';

/** With more of its core in use than this, the load's side may have been what took the time. */
const busyShare = 0.9;
/** With more of the two cores taken by others than this, what was measured is not only the contender. */
const disturbedShare = 0.1;
/** A contender that hangs is a result as well. */
const maxWorkMs = 300_000;

/** What some work came to. */
export interface Measured<T> {
  readonly result: T;
  readonly seconds: number;
  /** CPU time of the servers, in microseconds. */
  readonly serverUs: number;
  readonly doubts: Doubts;
}

/** What speaks against a measurement. */
export interface Doubts {
  /** The load's core was full, with the load, PostgreSQL and Redis on it: the servers could have done more. */
  readonly loadBound: boolean;
  /** Something else took much of the cores: another program, or another guest of the same machine. */
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

  /** Starts PostgreSQL and Redis. A signal that ends this process ends them and the servers as well. */
  static async start(): Promise<Rig> {
    const cores = takeLoadCore();
    const rig = new Rig(cores, await Services.start());
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void rig[Symbol.asyncDispose]().finally(() => process.exit(1)));
    }
    return rig;
  }

  /**
   * Has the work done with a contender's server, or several nodes of it, on a database of its own. Throws where one ends in
   * between, and where it takes too long.
   */
  async with<T>(contender: Contender, work: (server: Server, ...others: Server[]) => Promise<T>, nodes = 1): Promise<T> {
    await using started = new AsyncDisposableStack();
    const database = started.use(await this.services.createDatabase());
    const surroundings = { core: this.cores.server, databaseUrl: database.url, redisUrl: this.services.redisUrl };
    const servers: Server[] = [];
    for (let node = 0; node < nodes; node += 1) {
      const server = started.use(await Server.start(contender, surroundings));
      this.#servers.add(server);
      started.defer(() => void this.#servers.delete(server));
      servers.push(server);
    }
    const late = sleep(maxWorkMs, undefined, { ref: false }).then(() => {
      throw new Error(`It had not come to its end after ${maxWorkMs / 60_000} minutes.`);
    });
    return await Promise.race([work(...(servers as [Server])), late, ...servers.map(({ failed }) => failed)]);
  }

  /** Does the work, and says what it cost. */
  async measure<T>(servers: readonly Pick<Server, 'cpuNs'>[], work: () => Promise<T>): Promise<Measured<T>> {
    const look = () => {
      const { user, system } = process.cpuUsage();
      return {
        wallNs: performance.now() * 1e6,
        serverNs: servers.reduce((sum, server) => sum + server.cpuNs(), 0),
        loadNs: (user + system) * 1000 + this.services.cpuNs(),
        busyNs: busyNsOf([this.cores.server, this.cores.load]),
      };
    };
    const before = look();
    const result = await work();
    const after = look();
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
