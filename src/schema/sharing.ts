// Tells which subscriptions ask for the same, and whether what comes of their events is the same for everyone.

import { type DocumentNode, Kind, TypeInfo, type ValidatedSubscriptionArgs, visit, visitWithTypeInfo } from 'graphql';
import type { Context } from './context.ts';

/** The extensions of a field whose value is not the same for everyone who may read what it belongs to. */
export const dependsOnViewer = { dependsOnViewer: true } as const;

/** Alike for subscriptions that ask for the same. Undefined where each viewer is shown something else. */
export function sharingKey({ schema, document, operation, rawVariableValues }: ValidatedSubscriptionArgs): string | undefined {
  const { id, startOnly, viewerAsked } = describe(document, new TypeInfo(schema));
  if (viewerAsked) return undefined;
  const variables = Object.entries(rawVariableValues ?? {}).filter(([name]) => !startOnly.has(name));
  return JSON.stringify([id, operation.name?.value, variables.sort(([a], [b]) => (a < b ? -1 : 1))]);
}

interface Description {
  readonly id: number;
  /** Variables that serve only as `after` of a root field: where a subscription began does not count. */
  readonly startOnly: ReadonlySet<string>;
  /** Whether a field is selected that depends on the viewer. */
  readonly viewerAsked: boolean;
}

/** One for each document: those of the same text are the same document, as long as it is remembered. */
const descriptions = new WeakMap<DocumentNode, Description>();
let lastId = 0;

function describe(document: DocumentNode, types: TypeInfo): Description {
  const known = descriptions.get(document);
  if (known) return known;
  const uses = new Map<string, number>();
  const starts = new Set<string>();
  let viewerAsked = false;
  visit(
    document,
    visitWithTypeInfo(types, {
      VariableDefinition: () => false,
      Variable: ({ name }) => void uses.set(name.value, (uses.get(name.value) ?? 0) + 1),
      Field() {
        if (types.getFieldDef()?.extensions['dependsOnViewer']) viewerAsked = true;
      },
    }),
  );
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    for (const field of definition.selectionSet.selections) {
      const after = field.kind === Kind.FIELD ? field.arguments?.find(({ name }) => name.value === 'after')?.value : undefined;
      if (after?.kind === Kind.VARIABLE && uses.get(after.name.value) === 1) starts.add(after.name.value);
    }
  }
  lastId += 1;
  const description = { id: lastId, startOnly: starts, viewerAsked };
  descriptions.set(document, description);
  return description;
}

/** A fresh context that is nobody's, and whether anything that was resolved with it has looked at the viewer all the same. */
export function sharedContext({ storage, chat, liveRooms, identity, log }: Context): { context: Context; viewerSeen: () => boolean } {
  let seen = false;
  const context: Context = {
    ...{ storage, chat, liveRooms, identity, log },
    get viewer() {
      seen = true;
      return undefined;
    },
    setCookie() {},
    wanted: () => true,
  };
  return { context, viewerSeen: () => seen };
}
