// The schema. Each type is defined in a file of its own.

import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { resetLoaders } from './loaders.ts';
import './account.ts';
import './error-code.ts';
import './marker.ts';
import './membership.ts';
import './message.ts';
import './node.ts';
import './room.ts';
import './room-changes.ts';
import './room-event.ts';
import './room-list.ts';
import './room-subscriptions.ts';
import './session.ts';
import './user.ts';
import './viewer-event.ts';

export const schema = builder.toSchema();

// Mutation fields run one after the other. Each starts with new loaders, so that it sees what those before it wrote.
for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
  const { resolve } = field;
  field.resolve = (source, args, context: Context, info) => {
    resetLoaders(context);
    return resolve?.(source, args, context, info);
  };
}
