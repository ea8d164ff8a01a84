// A request that counts its parts where Node receives them: Node passes on everything that it has read from a connection, up to
// 64 KB, before a listener runs. A client whose requests come in too many parts is disconnected, and keeps nothing in memory.

import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { maxMessageParts, maxPipelined } from './limits.ts';

/** Parts that the bodies of all requests under way may have together. Each takes some 300 bytes until it is read. */
const maxNodeParts = 100_000;

interface Turn {
  parts: number;
  requests: number;
}

/**
 * The class of a server's requests. `onFlood` is called with the connection of a client that sends requests or parts of bodies
 * faster than they can be handled; nothing more of the connection is kept.
 */
export function countedRequests(onFlood: (stream: Socket) => void): typeof IncomingMessage {
  /** What came in this turn of the event loop, by connection. */
  const turns = new Map<Socket, Turn>();
  let nodeParts = 0;

  function turnOf(stream: Socket): Turn {
    const known = turns.get(stream);
    if (known) return known;
    if (turns.size === 0) setImmediate(() => turns.clear());
    const turn = { parts: 0, requests: 0 };
    turns.set(stream, turn);
    return turn;
  }

  return class extends IncomingMessage {
    #parts = 0;

    constructor(stream: Socket) {
      super(stream);
      const turn = turnOf(stream);
      turn.requests += 1;
      if (turn.requests > maxPipelined + 1) this.#refuse();
    }

    override push(chunk: Buffer | null): boolean {
      if (chunk === null) return super.push(chunk);
      if (this.socket.destroyed) return false;
      const turn = turnOf(this.socket);
      turn.parts += 1;
      if (this.#parts === 0) this.once('close', () => (nodeParts -= this.#parts));
      this.#parts += 1;
      nodeParts += 1;
      if (turn.parts <= maxMessageParts && this.#parts <= maxMessageParts && nodeParts <= maxNodeParts) return super.push(chunk);
      this.#refuse();
      return false;
    }

    #refuse(): void {
      if (!this.socket.destroyed) onFlood(this.socket);
    }
  };
}
