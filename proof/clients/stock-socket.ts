// The client `graphql-ws` as its users have it, on sockets that are terminated when they fall silent.

import { type Client, type ClientOptions, createClient } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { BoundedSocket, pingMs, silenceMs } from './bounded-socket.ts';
import { openTimeoutMs } from './stream.ts';
import { Watchdog } from './watchdog.ts';

export interface StockSocket {
  readonly client: Client;
  /** Pauses or resumes reading. */
  pause(paused: boolean): void;
  /** Cuts the connection, as the loss of the network does. */
  terminate(): void;
  dispose(): void;
}

type Options = Pick<ClientOptions, 'url' | 'retryAttempts' | 'retryWait' | 'lazyCloseTimeout'> & {
  readonly connected?: () => void;
  readonly closed?: (why: string) => void;
};

export function openStockSocket(token: string, { connected, closed, ...options }: Options): StockSocket {
  let socket: WebSocket | undefined;
  let watchdog: Watchdog | undefined;
  const client = createClient({
    ...options,
    webSocketImpl: BoundedSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    connectionAckWaitTimeout: openTimeoutMs,
    keepAlive: pingMs,
    shouldRetry: () => true,
    on: {
      opened: (opened) => {
        const mine = opened as WebSocket;
        socket = mine;
        watchdog?.[Symbol.dispose]();
        // Not the terminate() of the client, which lets the old socket deliver in addition to the new one.
        watchdog = new Watchdog(silenceMs, () => mine.terminate());
      },
      message: () => watchdog?.received(),
      connected: () => connected?.(),
      closed: (event) => {
        watchdog?.[Symbol.dispose]();
        closed?.(`closed with ${(event as { code?: number }).code}`);
      },
    },
  });
  return {
    client,
    pause(paused) {
      if (watchdog) watchdog.paused = paused;
      if (paused) socket?.pause();
      else socket?.resume();
    },
    terminate: () => socket?.terminate(),
    dispose() {
      watchdog?.[Symbol.dispose]();
      // Rejects if the client waits to reconnect, as it then never connects.
      Promise.resolve(client.dispose()).catch(() => {});
      socket?.terminate();
    },
  };
}
