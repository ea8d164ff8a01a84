// A WebSocket that waits for nothing without a bound, and how long one that is dead may go unnoticed.

import { type ClientOptions, WebSocket } from 'ws';
import { openTimeoutMs } from './stream.ts';

export const pingMs = 2000;
/** A socket from which nothing came for so long, no pong either, is dead. */
export const silenceMs = 5000;

export class BoundedSocket extends WebSocket {
  constructor(url: string, protocol: string) {
    // closeTimeout is not in its types yet.
    super(url, protocol, { perMessageDeflate: false, handshakeTimeout: openTimeoutMs, closeTimeout: 1000 } as ClientOptions);
  }
}
