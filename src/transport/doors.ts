// What happens to every request before it reaches GraphQL, over HTTP and WebSocket: its host is checked, and a refusal is logged
// with the address of the client.

import type { IncomingMessage } from 'node:http';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { RefusalLog } from '../limits/refusal-log.ts';
import { addressReader } from './client-address.ts';
import { createHostCheck, type HostCheck } from './host.ts';
import { Refusal } from './refusal.ts';
import { Shares } from './shares.ts';

export interface Doors {
  readonly requireHost: HostCheck;
  /** Has the log count the error if it refuses a request because of its host or origin. */
  countRefusal(request: IncomingMessage, error: unknown): void;
  /** What each client may use of this node. */
  readonly shares: Shares;
}

/** `listensOn` is the address that the server listens on. */
export function openDoors(config: Config, listensOn: string, refusals: RefusalLog, clock: Clock): Doors {
  const readAddress = addressReader(config.trustedProxies);
  return {
    requireHost: createHostCheck(config, listensOn),
    shares: new Shares(clock),
    countRefusal(request, error) {
      if (!(error instanceof Refusal) || error.code !== 'FORBIDDEN') return;
      refusals.add(readAddress(request) ?? 'loopback', { reason: error.message });
    },
  };
}
