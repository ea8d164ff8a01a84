// What the load must know of a contender to speak to it.

import type { Connection } from './connection.ts';

/** Who connects: the token they signed in with, where a contender knows of such a thing. */
export type Ticket = string | undefined;

/** How a contender's clients talk over a WebSocket. */
export interface Protocol {
  readonly path: string;
  readonly subprotocol?: string;
  /** Says who connects, and resolves when the server has taken it. */
  greet(connection: Connection, ticket: Ticket): Promise<void>;
  /** Watches a room, from behind the cursor `after` where there is one. Resolves when the server has said so, or at once where it says nothing. */
  subscribe(connection: Connection, room: string, after?: string): Promise<void>;
  /** The text that sends a message. */
  send(id: number, room: string): string;
  /** The id of the send that a text acknowledges; undefined where it does not. Throws where it says that the send has failed. */
  acknowledged(text: string): number | undefined;
}

/** How a contender's clients send over HTTP. */
export interface HttpProtocol {
  readonly path: string;
  /** The JSON to post. */
  send(room: string): string;
  /** Throws where an answer says that the send has failed. */
  check(answer: string): void;
}

/** What everyone says, some hundred characters of it. */
export const body = 'It is a truth universally acknowledged, that a server in possession of a log must be in want of a reader.';
