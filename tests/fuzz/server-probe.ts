// Loaded into the server that is fuzzed, before its own code: tells the fuzzer what the server holds after a garbage collection.

import { queryObjects } from 'node:v8';
import { Feed } from '../../src/feed/feed.ts';
import { Connection } from '../../src/transport/connection.ts';
import { ClientSocket } from '../../src/transport/socket.ts';

export interface Holdings {
  readonly feeds: number;
  readonly connections: number;
  readonly sockets: number;
  /** Timers, handles and requests that keep Node running. */
  readonly resources: number;
  /** The heap and the buffers of the main thread. */
  readonly memoryBytes: number;
}

/** The number of live objects of a class. Counting collects garbage first. */
const count = (kind: unknown) => queryObjects(kind as () => void, { format: 'count' });

function measure(): Holdings {
  const counts = { feeds: count(Feed), connections: count(Connection), sockets: count(ClientSocket) };
  const { heapUsed, external } = process.memoryUsage();
  return { ...counts, resources: process.getActiveResourcesInfo().length, memoryBytes: heapUsed + external };
}

process.on('message', () => process.send?.(measure()));
process.channel?.unref();
