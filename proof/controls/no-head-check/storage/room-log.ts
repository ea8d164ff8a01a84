// Reading the heads of watched rooms never ends: the last entry that was lost, with nothing after it, is not found.

import type * as original from '../../../../src/storage/room-log.ts';

export * from '../../../../src/storage/room-log.ts';

export const readHeads: typeof original.readHeads = () => new Promise(() => {});
