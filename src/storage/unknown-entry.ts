// An entry that a newer version of the server wrote. A node that meets one stops there: it never skips an entry.

import { NodeUnableError } from '../errors.ts';

/** What this version can tell of such an entry: where it is. */
export interface UnknownEntry {
  readonly roomId: string;
  readonly seq: number;
  readonly unknownType: string;
}

export class UnknownEntryError extends NodeUnableError {
  readonly entry: UnknownEntry;

  constructor(entry: UnknownEntry) {
    super('A newer version of the server wrote the next entry of this room: resume, and another node may serve it.');
    this.entry = entry;
  }
}
