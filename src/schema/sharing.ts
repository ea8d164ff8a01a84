// Tells which executions of an event give the same to everyone: those of the same operation with the same variables in
// which no resolver has looked at who asks. Where a subscription began does not count.

import { createHash } from 'node:crypto';
import { type DocumentNode, Kind, print, type ValidatedSubscriptionArgs, visit } from 'graphql';
import type { Context } from './context.ts';

/** Alike for subscriptions that ask for the same. */
export function sharingKey({ document, operation, rawVariableValues }: ValidatedSubscriptionArgs): string {
  const { text, startOnly } = describe(document);
  const variables = Object.entries(rawVariableValues ?? {}).filter(([name]) => !startOnly.has(name));
  const asked = JSON.stringify([text, operation.name?.value, variables.sort(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(asked).digest('base64');
}

interface Description {
  readonly text: string;
  /** Variables that serve only as `after` of a root field. */
  readonly startOnly: ReadonlySet<string>;
}

const descriptions = new WeakMap<DocumentNode, Description>();

function describe(document: DocumentNode): Description {
  const known = descriptions.get(document);
  if (known) return known;
  const uses = new Map<string, number>();
  const starts = new Set<string>();
  visit(document, {
    VariableDefinition: () => false,
    Variable: ({ name }) => void uses.set(name.value, (uses.get(name.value) ?? 0) + 1),
  });
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    for (const field of definition.selectionSet.selections) {
      const after = field.kind === Kind.FIELD ? field.arguments?.find(({ name }) => name.value === 'after')?.value : undefined;
      if (after?.kind === Kind.VARIABLE && uses.get(after.name.value) === 1) starts.add(after.name.value);
    }
  }
  const description = { text: print(document), startOnly: starts };
  descriptions.set(document, description);
  return description;
}

/** A fresh context for one event, and whether anything that was resolved with it has looked at the viewer. */
export function watchedContext(context: Context, storage: Context['storage']): { context: Context; viewerSeen: () => boolean } {
  const { viewer } = context;
  let seen = false;
  const watched = Object.defineProperty({ ...context, storage }, 'viewer', {
    get() {
      seen = true;
      return viewer;
    },
  });
  return { context: watched, viewerSeen: () => seen };
}
