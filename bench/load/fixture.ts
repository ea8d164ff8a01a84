// What has to exist before a measurement: rooms, viewers, and senders who are members of the rooms.

import type { Token } from './protocol.ts';

export interface Needs {
  readonly rooms: number;
  readonly viewers: number;
  readonly senders: number;
}

export interface Fixture {
  readonly rooms: readonly string[];
  readonly viewers: readonly Token[];
  readonly senders: readonly Token[];
}

export interface Route {
  readonly sender: number;
  readonly room: number;
}

/** Pairs of sender and room, such that every sender has a room and every room has a sender. */
export const routesOf = ({ rooms, senders }: Pick<Needs, 'rooms' | 'senders'>): Route[] =>
  Array.from({ length: Math.max(rooms, senders) }, (_, index) => ({ sender: index % senders, room: index % rooms }));
