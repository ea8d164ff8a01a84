// A TCP proxy on one link, which can be made to fail as networks do. It alters nothing: bytes arrive in their order, late
// or not at all, and where some vanish, so does whatever follows them on their connection.

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Connection } from './connection.ts';

/** What is wrong with a link. Each holds for connections that are open and for new ones, until the next `impair` or `heal`. */
export interface Impairment {
  /** Nothing moves either way. What is sent is held back, in the end at its sender. */
  readonly paused?: boolean;
  /** New connections are reset. */
  readonly refusing?: boolean;
  /** Half-open: connections stay and are accepted, and all that is sent on them vanishes, their end as well. */
  readonly swallowing?: boolean;
  /** Each piece waits so long before it goes on, and so does what has come meanwhile: twice that is the longest. */
  readonly delayMs?: number;
  /** Up to so much more, by chance. */
  readonly jitterMs?: number;
  /** For each connection and direction. */
  readonly bytesPerSecond?: number;
  /** 1: byte by byte. */
  readonly bytesPerPiece?: number;
  /** A connection that has carried so many more, both ways together, is reset. */
  readonly cutAfterBytes?: number;
  /**
   * What is sent to the server arrives; once it answers, the answer is dropped and the connection reset. Asked of each
   * piece on its way to the server.
   */
  readonly losesAnswerTo?: (request: Buffer) => boolean;
}

/** How often what was done to a link was felt by those who use it. Each only ever grows. */
export interface LinkCounts {
  connections: number;
  refused: number;
  /** Connections that found nobody to lead to, and were reset. */
  unreached: number;
  /** Connections that were reset, for whatever reason of the link's own. */
  resets: number;
  swallowedBytes: number;
  /** Bytes that were held, delayed, slowed down or taken apart. */
  hinderedBytes: number;
  answersLost: number;
}

/** Whom a link leads to. Nothing needs to listen there yet. */
export interface Target {
  readonly port: number;
  readonly host?: string;
}

export class Link implements AsyncDisposable {
  /** Where it listens, on 127.0.0.1, for as long as it is there. */
  readonly port: number;
  readonly counts: LinkCounts = {
    connections: 0,
    refused: 0,
    unreached: 0,
    resets: 0,
    swallowedBytes: 0,
    hinderedBytes: 0,
    answersLost: 0,
  };
  readonly random: () => number;
  readonly #server: Server;
  readonly #to: Target;
  readonly #connections = new Set<Connection>();
  #impairment: Impairment = {};
  #change = Promise.withResolvers<void>();

  private constructor(server: Server, to: Target, random: () => number) {
    this.#server = server.on('connection', (client) => this.#accept(client));
    this.port = (server.address() as { port: number }).port;
    this.#to = to;
    this.random = random;
  }

  /** `random` chooses the jitter. */
  static async open(to: Target, random: () => number = Math.random): Promise<Link> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Link(server, to, random);
  }

  get impairment(): Impairment {
    return this.#impairment;
  }

  /** Resolves when `impair` or `heal` is called next. */
  get changed(): Promise<void> {
    return this.#change.promise;
  }

  /** Connections that clients have open. */
  get open(): number {
    return this.#connections.size;
  }

  /** Makes this wrong with the link, and nothing else. Connections that lost something stay dead. */
  impair(impairment: Impairment): void {
    this.#impairment = impairment;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
    for (const connection of this.#connections) connection.bytesCarried = 0;
  }

  /** All as it should be. Connections that lost something are reset, as a firewall does that has never heard of them. */
  heal(): void {
    this.impair({});
    for (const connection of this.#connections) if (connection.damaged) connection.reset();
  }

  /** Resets every connection, and says how many they were. */
  reset(): number {
    const { size } = this.#connections;
    for (const connection of this.#connections) connection.reset();
    return size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.impair({});
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    this.counts.connections += 1;
    if (this.#impairment.refusing) {
      this.counts.refused += 1;
      client.on('error', () => {}).resetAndDestroy();
      return;
    }
    const connection = new Connection(this, client, this.#to);
    this.#connections.add(connection);
    void connection.carry().finally(() => this.#connections.delete(connection));
  }
}
