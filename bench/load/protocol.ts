// How the load talks to a contender.

import type { Connection } from './connection.ts';

/** The token of a signed-in user. Undefined for contenders without accounts. */
export type Token = string | undefined;

/** The protocol of a contender's clients over a WebSocket. */
export interface Protocol {
  readonly path: string;
  readonly subprotocol?: string;
  /** Identifies the client. Resolves when the server has accepted it. */
  authenticate(connection: Connection, token: Token): Promise<void>;
  /** Subscribes to a room, after the cursor `after` if there is one. Resolves when the server acknowledges it, or at once if the protocol has no acknowledgement. */
  subscribe(connection: Connection, room: string, after?: string): Promise<void>;
  /** The text that sends a message. */
  send(id: number, room: string): string;
  /** The id of the send that a text acknowledges. Undefined for other texts. Throws if the text reports a failed send. */
  acknowledged(text: string): number | undefined;
}

/** The protocol of a contender's clients over HTTP. */
export interface HttpProtocol {
  readonly path: string;
  /** The JSON to post. */
  send(room: string): string;
  /** Throws if the answer reports a failed send. */
  check(answer: string): void;
}

/** The body of every message, about a hundred characters. */
export const body = 'It is a truth universally acknowledged, that a server in possession of a log must be in want of a reader.';
