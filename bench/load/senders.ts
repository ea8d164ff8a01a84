// Those who send: over a WebSocket, or over an HTTP connection that is kept. A send resolves when it is acknowledged.

import { Connection } from './connection.ts';
import { HttpConnection } from './http-connection.ts';
import type { HttpProtocol, Protocol, Ticket } from './protocol.ts';

export interface Sender extends Disposable {
  send(room: string): Promise<void>;
}

export async function openSocketSender(port: number, protocol: Protocol, ticket: Ticket): Promise<Sender> {
  const connection = await Connection.open({ port, path: protocol.path, subprotocol: protocol.subprotocol });
  await protocol.greet(connection, ticket);
  const waiting = new Map<number, PromiseWithResolvers<void>>();
  let lastId = 0;
  const fail = (error: Error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  connection.onLost = fail;
  connection.read((text) => {
    try {
      const id = protocol.acknowledged(text);
      if (id === undefined) return;
      waiting.get(id)?.resolve();
      waiting.delete(id);
    } catch (error) {
      fail(error as Error);
    }
  });
  return {
    async send(room) {
      lastId += 1;
      const acknowledgement = Promise.withResolvers<void>();
      connection.send(protocol.send(lastId, room));
      waiting.set(lastId, acknowledgement);
      return acknowledgement.promise;
    },
    [Symbol.dispose]: () => connection.destroy(),
  };
}

/** One send at a time. */
export async function openHttpSender(port: number, protocol: HttpProtocol, ticket: Ticket): Promise<Sender> {
  const connection = await HttpConnection.open(port);
  return {
    async send(room) {
      protocol.check(await connection.post(protocol.path, protocol.send(room), ticket));
    },
    [Symbol.dispose]: () => connection.destroy(),
  };
}
