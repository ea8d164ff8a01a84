// Neither stores the key of a message nor looks it up: a retry is a message of its own.

import * as original from '../../../../src/storage/sends.ts';

export * from '../../../../src/storage/sends.ts';

export const writeSends: typeof original.writeSends = (db, sends) =>
  original.writeSends(
    db,
    sends.map((send) => ({ ...send, clientMessageId: undefined })),
  );
