// The heads of watched rooms are asked for and never learned: what was lost last, with nothing after it, is not found.

import type * as original from '../../../../src/storage/room-log.ts';

export * from '../../../../src/storage/room-log.ts';

export const readHeads: typeof original.readHeads = () => new Promise(() => {});
