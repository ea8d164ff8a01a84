// Senders, over a WebSocket or a keep-alive HTTP connection. A send resolves when it is acknowledged.

import { Connection } from './connection.ts';
import { HttpConnection } from './http-connection.ts';
import type { HttpProtocol, Protocol, Token } from './protocol.ts';

export interface Sender extends Disposable {
  send(room: string): Promise<void>;
}

export async function openSocketSender(port: number, protocol: Protocol, token: Token): Promise<Sender> {
  const connection = await Connection.open({ port, path: protocol.path, subprotocol: protocol.subprotocol });
  await protocol.authenticate(connection, token);
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

/** Opens a sender for one send at a time. */
export async function openHttpSender(port: number, protocol: HttpProtocol, token: Token): Promise<Sender> {
  const connection = await HttpConnection.open(port);
  return {
    async send(room) {
      protocol.check(await connection.post(protocol.path, protocol.send(room), token));
    },
    [Symbol.dispose]: () => connection.destroy(),
  };
}
