// A WebSocket with bounds on all of its waits, and the time after which a silent one counts as dead.

import { type ClientOptions, WebSocket } from 'ws';
import { openTimeoutMs } from './stream.ts';

export const pingMs = 2000;
/** A socket that receives nothing for `silenceMs`, not even a pong, is dead. */
export const silenceMs = 5000;

export class BoundedSocket extends WebSocket {
  constructor(url: string, protocol: string) {
    // closeTimeout is missing in the types of ws.
    super(url, protocol, { perMessageDeflate: false, handshakeTimeout: openTimeoutMs, closeTimeout: 1000 } as ClientOptions);
  }
}
