// What must be there before anything is measured: rooms, people who watch them, and people who may send to them.

import type { Ticket } from './protocol.ts';

export interface Needs {
  readonly rooms: number;
  readonly viewers: number;
  readonly senders: number;
}

export interface Stage {
  readonly rooms: readonly string[];
  readonly viewers: readonly Ticket[];
  readonly senders: readonly Ticket[];
}

export interface Route {
  readonly sender: number;
  readonly room: number;
}

/** Who sends where: every sender has a room and every room a sender, with as many of each as there can be. */
export const routesOf = ({ rooms, senders }: Pick<Needs, 'rooms' | 'senders'>): Route[] =>
  Array.from({ length: Math.max(rooms, senders) }, (_, index) => ({ sender: index % senders, room: index % rooms }));
