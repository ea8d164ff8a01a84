// The schema, put together. What clients may ask is in the file of each type.

import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { forgetLoaded } from './loaders.ts';
import './error-code.ts';
import './membership.ts';
import './message.ts';
import './node.ts';
import './room.ts';
import './room-event.ts';
import './user.ts';

export const schema = builder.toSchema();

// Mutation fields of one operation run one after the other: each starts with new loaders, and sees what those before it wrote.
for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
  const { resolve } = field;
  field.resolve = (source, args, context: Context, info) => {
    forgetLoaded(context);
    return resolve?.(source, args, context, info);
  };
}
