// Reading the heads of watched rooms never ends, so a lost entry that nothing follows is not found.

import type * as original from '../../../../src/storage/room-log.ts';

export * from '../../../../src/storage/room-log.ts';

export const readHeads: typeof original.readHeads = () => new Promise(() => {});
