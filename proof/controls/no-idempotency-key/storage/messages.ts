// Neither keeps the key of a message nor looks for one: a retry is a message of its own.

import * as original from '../../../../src/storage/messages.ts';

export * from '../../../../src/storage/messages.ts';

export const addMessages: typeof original.addMessages = (room, messages) =>
  original.addMessages(
    room,
    messages.map((message) => ({ ...message, clientMessageId: undefined })),
  );

export const findSent: typeof original.findSent = async () => [];
