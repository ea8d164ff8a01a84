// An entry that a newer version of the server wrote. A node never skips such an entry: it ends the streams of the room.

import { NodeUnableError } from '../errors.ts';

/** An entry of an unknown type. Only its position is known. */
export interface UnknownEntry {
  readonly roomId: string;
  readonly seq: number;
  readonly unknownType: string;
}

export class UnknownEntryError extends NodeUnableError {
  readonly entry: UnknownEntry;

  constructor(entry: UnknownEntry) {
    super('A newer version of the server wrote the next entry of this room: resume, as another node may serve it.');
    this.entry = entry;
  }
}
