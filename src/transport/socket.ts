// What goes out over one socket: results, no faster than it takes them, and pings.

import type { WebSocket } from 'ws';
import type { ResultStream } from '../schema/execute.ts';
import { encode } from './encode.ts';

const keepAliveMs = 12_000;
/** What may wait at a socket before its subscriptions wait for it. */
const enoughBytes = 64 * 1024;

/**
 * The stream, writing its results to the socket by itself, and handing on nothing but its end: graphql-ws would encode
 * each one again for every subscriber, and they differ in nothing but the id.
 */
export function written(socket: WebSocket, id: string, results: ResultStream): ResultStream {
  const head = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  const stream: ResultStream = {
    ...results,
    async next() {
      for (;;) {
        // Whoever is being closed is read nothing more for.
        if (socket.readyState !== socket.OPEN) return results.return();
        const { done, value } = await results.next();
        if (done) return { done, value };
        await send(socket, `${head}${encode(value)}}`);
      }
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}

/** Resolves at once, or where the socket has enough to write when it has taken this: who waits asks for no further event. */
export function send(socket: WebSocket, message: string): Promise<void> | void {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount < enoughBytes) return socket.send(message, () => {});
  return new Promise((resolve) => socket.send(message, () => resolve()));
}

/** Pings, and ends a socket that has not answered by the next ping. Returns how to stop. */
export function keepAlive(socket: WebSocket): () => void {
  let answered = true;
  socket.on('pong', () => {
    answered = true;
  });
  const timer = setInterval(() => {
    if (!answered) return socket.terminate();
    answered = false;
    socket.ping();
  }, keepAliveMs);
  timer.unref();
  return () => clearInterval(timer);
}
