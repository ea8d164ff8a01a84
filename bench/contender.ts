// What the benchmark must know of a server to start it, set it up and speak to it.

import { range } from './load/parallel.ts';
import type { HttpProtocol, Protocol } from './load/protocol.ts';
import type { Needs, Stage } from './load/stage.ts';

export interface Contender {
  readonly name: string;
  /** What tables call it. */
  readonly title: string;
  /** What Node runs. It is told PORT, DATABASE_URL and REDIS_URL. */
  readonly program: URL;
  /** What Node is told before the program. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Packages of bench/package.json that it is made of. */
  readonly packages: readonly string[];
  readonly webSocket: Protocol;
  /** A program that calls what a send comes to, as fast as it can. */
  readonly writePath?: URL;
  /** Undefined where it takes no messages over HTTP. */
  readonly http?: HttpProtocol;
  /** Whether a server that has printed this, and listens at this port, is ready. */
  isReady(printed: string, port: number): boolean | Promise<boolean>;
  /** Makes rooms and people. */
  prepare(port: number, needs: Needs): Promise<Stage>;
}

/** A contender that has no accounts, where a room is there as soon as it is named, and that prints `ready`. */
export const openToAll: Pick<Contender, 'isReady' | 'prepare'> = {
  isReady: (printed) => printed.includes('ready\n'),
  prepare: async (_port, { rooms, viewers, senders }) => ({
    rooms: range(rooms).map((index) => `room-${index}`),
    viewers: range(viewers).map(() => undefined),
    senders: range(senders).map(() => undefined),
  }),
};
