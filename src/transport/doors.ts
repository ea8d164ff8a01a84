// What happens to every request before it reaches GraphQL, over HTTP and WebSocket: its host is checked, and a refusal is logged
// with the address of the client.

import type { IncomingMessage } from 'node:http';
import type { Config } from '../config.ts';
import type { RefusalLog } from '../limits/refusal-log.ts';
import { addressReader } from './client-address.ts';
import { createHostCheck, type HostCheck } from './host.ts';
import { Refusal } from './refusal.ts';

export interface Doors {
  readonly requireHost: HostCheck;
  /** Has the log count the error if it refuses a request because of its host or origin. */
  countRefusal(request: IncomingMessage, error: unknown): void;
}

/** `listensOn` is the address that the server listens on. */
export function openDoors(config: Config, listensOn: string, refusals: RefusalLog): Doors {
  const readAddress = addressReader(config.trustedProxies);
  return {
    requireHost: createHostCheck(config, listensOn),
    countRefusal(request, error) {
      if (!(error instanceof Refusal) || error.code !== 'FORBIDDEN') return;
      refusals.add(readAddress(request) ?? 'loopback', { reason: error.message });
    },
  };
}
