// A TCP proxy that can fail as networks do. It alters no bytes: they arrive in order, late or not at all, and after a loss
// nothing more arrives on that connection.

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Connection } from './connection.ts';

/** How a link fails. Applies to open and to new connections, until the next `impair` or `heal`. */
export interface Impairment {
  /** Nothing moves in either direction. What is sent waits, finally at its sender. */
  readonly paused?: boolean;
  /** New connections are reset. */
  readonly refusing?: boolean;
  /** Half-open: connections stay open and are accepted, but everything sent on them is lost, including their end. */
  readonly droppingAll?: boolean;
  /** Delay of each piece. What arrives during the delay waits for its own, so that the longest is twice as long. */
  readonly delayMs?: number;
  /** Maximum random addition to `delayMs`. */
  readonly jitterMs?: number;
  /** For each connection and direction. */
  readonly bytesPerSecond?: number;
  /** 1: byte by byte. */
  readonly bytesPerPiece?: number;
  /** A connection is reset after this many further bytes, both directions together. */
  readonly cutAfterBytes?: number;
  /**
   * Called with each piece on its way to the server. If true, the piece arrives, but the answer is dropped and the
   * connection reset.
   */
  readonly dropsAnswerTo?: (request: Buffer) => boolean;
}

/** How often the impairments of a link had an effect. They never decrease. */
export interface LinkCounts {
  connections: number;
  refused: number;
  /** Connections that were reset because nothing listened at the target. */
  targetRefused: number;
  /** Connections that the link itself reset, for any reason. */
  resets: number;
  droppedBytes: number;
  /** Bytes that were held back, delayed, slowed down or split. */
  impairedBytes: number;
  answersLost: number;
}

/** Where a link leads to. Nothing needs to listen there yet. */
export interface Target {
  readonly port: number;
  readonly host?: string;
}

export class Link implements AsyncDisposable {
  /** Where it listens, on 127.0.0.1. It does not change. */
  readonly port: number;
  readonly counts: LinkCounts = {
    connections: 0,
    refused: 0,
    targetRefused: 0,
    resets: 0,
    droppedBytes: 0,
    impairedBytes: 0,
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

  /** Replaces the impairment of the link. Connections that lost bytes stay dead. */
  impair(impairment: Impairment): void {
    this.#impairment = impairment;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
    for (const connection of this.#connections) connection.bytesCarried = 0;
  }

  /** Removes the impairment. Connections that lost bytes are reset, as by a firewall that does not know them. */
  heal(): void {
    this.impair({});
    for (const connection of this.#connections) if (connection.damaged) connection.reset();
  }

  /** Resets every connection, and returns how many there were. */
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
