// A door to a server that can become a black hole: connections stay open, new ones are accepted, and nothing comes back.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** While true, what is sent is swallowed. Connections that were made meanwhile stay dead for ever. */
  swallow: boolean;
  /** Connections that were accepted and led nowhere. */
  readonly deadEnds: number;
}

export async function startProxy(to: { host: string; port: number }): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    client.on('error', () => {});
    if (proxy.swallow) {
      proxy.deadEnds += 1;
      client.resume();
      return;
    }
    const through = connect(to);
    sockets.add(through);
    through.on('error', () => {});
    for (const [from, into] of [
      [client, through],
      [through, client],
    ] as const) {
      from.on('data', (chunk) => {
        if (!proxy.swallow) into.write(chunk);
      });
      from.once('close', () => into.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = {
    port: (server.address() as { port: number }).port,
    swallow: false,
    deadEnds: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
