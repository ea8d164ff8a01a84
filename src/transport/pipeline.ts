// Requests that a client sends on one connection before the earlier ones are answered (pipelining). They are executed one after
// the other: answers to later requests would wait in memory, uncounted, until the earlier ones are written.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Connection } from './connection.ts';
import { maxPipelined } from './limits.ts';

const waiting = new WeakMap<Connection, number>();

/**
 * Resolves when the earlier requests of the connection are answered: with true if there were any. Never resolves if the
 * connection closes first. Disconnects a client if too many requests wait, or if an event stream is open on it.
 */
export async function waitForTurn({ socket }: IncomingMessage, response: ServerResponse, connection: Connection): Promise<boolean> {
  if (response.socket !== null) return false;
  const count = waiting.get(connection) ?? 0;
  // What was read together with the request that was too much is still passed on here.
  if (!socket.destroyed && (count === maxPipelined || connection.streams)) connection.disconnectStalled();
  waiting.set(connection, count + 1);
  // Node assigns the socket to the response of the oldest request.
  await new Promise((resolve) => response.once('socket', resolve));
  waiting.set(connection, (waiting.get(connection) ?? 1) - 1);
  return true;
}

/** Whether later requests of the connection wait for their turn. */
export const hasWaiting = (connection: Connection): boolean => (waiting.get(connection) ?? 0) > 0;
