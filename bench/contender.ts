// What the benchmark needs to know about a server to start it, prepare it and talk to it.

import type { Fixture, Needs } from './load/fixture.ts';
import { range } from './load/parallel.ts';
import type { HttpProtocol, Protocol } from './load/protocol.ts';

export interface Contender {
  readonly name: string;
  /** Its name in tables. */
  readonly title: string;
  /** The program that Node runs, with PORT, DATABASE_URL and REDIS_URL in its environment. */
  readonly program: URL;
  /** Arguments for Node, before the program. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Packages of bench/package.json that the report names with their versions. */
  readonly packages: readonly string[];
  readonly webSocket: Protocol;
  /** A program that calls the write path directly, as fast as it can. */
  readonly writePath?: URL;
  /** Undefined if it takes no messages over HTTP. */
  readonly http?: HttpProtocol;
  /** Whether the server is ready, by its output so far and its port. */
  isReady(printed: string, port: number): boolean | Promise<boolean>;
  /** Creates rooms and users. */
  prepare(port: number, needs: Needs): Promise<Fixture>;
}

/** A contender without accounts, whose rooms exist as soon as they are named, and that prints `ready`. */
export const openToAll: Pick<Contender, 'isReady' | 'prepare'> = {
  isReady: (printed) => printed.includes('ready\n'),
  prepare: async (_port, { rooms, viewers, senders }) => ({
    rooms: range(rooms).map((index) => `room-${index}`),
    viewers: range(viewers).map(() => undefined),
    senders: range(senders).map(() => undefined),
  }),
};
