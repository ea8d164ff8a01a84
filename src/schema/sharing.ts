// Tells which subscriptions ask for the same, and whether what comes of their events is the same for everyone.

import {
  type DocumentNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  Kind,
  type SelectionSetNode,
  type ValidatedSubscriptionArgs,
  visit,
} from 'graphql';
import type { Context, Services } from './context.ts';

/** The extensions of a field whose value is not the same for everyone who may read what it belongs to. */
export const dependsOnViewer = { dependsOnViewer: true } as const;

/** What subscriptions that ask for the same have in common. */
export interface Sharing {
  /** Theirs alone. */
  readonly key: string;
  /** Whether what comes of an event of this type is the same for all of them. */
  readonly covers: (type: string) => boolean;
}

/** Undefined where each viewer is shown something else, whatever the event. */
export function sharingOf({ schema, document, operation, rawVariableValues }: ValidatedSubscriptionArgs): Sharing | undefined {
  const { id, startOnly, viewersOwn } = describe(document, schema);
  if (viewersOwn === 'all') return undefined;
  const variables = Object.entries(rawVariableValues ?? {}).filter(([name]) => !startOnly.has(name));
  const key = JSON.stringify([id, operation.name?.value, variables.sort(([a], [b]) => (a < b ? -1 : 1))]);
  return { key, covers: (type) => !viewersOwn.has(type) };
}

interface Description {
  readonly id: number;
  /** Variables that serve only as `after` of a root field: where a subscription began does not count. */
  readonly startOnly: ReadonlySet<string>;
  /** The types of events of which a field is selected that depends on the viewer. */
  readonly viewersOwn: ReadonlySet<string> | 'all';
}

/** One for each document: those of the same text are the same document, as long as it is remembered. */
const descriptions = new WeakMap<DocumentNode, Description>();
let lastId = 0;

function describe(document: DocumentNode, schema: GraphQLSchema): Description {
  const known = descriptions.get(document);
  if (known) return known;
  lastId += 1;
  const description = { id: lastId, startOnly: startsOf(document), viewersOwn: viewersOwnOf(document, schema) };
  descriptions.set(document, description);
  return description;
}

function startsOf(document: DocumentNode): ReadonlySet<string> {
  const uses = new Map<string, number>();
  visit(document, {
    VariableDefinition: () => false,
    Variable: ({ name }) => void uses.set(name.value, (uses.get(name.value) ?? 0) + 1),
  });
  const starts = new Set<string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    for (const field of definition.selectionSet.selections) {
      const after = field.kind === Kind.FIELD ? field.arguments?.find(({ name }) => name.value === 'after')?.value : undefined;
      if (after?.kind === Kind.VARIABLE && uses.get(after.name.value) === 1) starts.add(after.name.value);
    }
  }
  return starts;
}

function viewersOwnOf(document: DocumentNode, schema: GraphQLSchema): ReadonlySet<string> | 'all' {
  const types = new Set<string>();
  let all = false;
  const fragments = new Map(
    document.definitions.flatMap((each) => (each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each]] : [])),
  );
  /** `event` is the type of event that the selections are of, where they are of one only. */
  const walk = ({ selections }: SelectionSetNode, type: GraphQLNamedType | undefined, event: string | undefined): void => {
    for (const selection of selections) {
      if (selection.kind !== Kind.FIELD) {
        const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
        const condition = fragment?.typeCondition ? schema.getType(fragment.typeCondition.name.value) : type;
        if (fragment) walk(fragment.selectionSet, condition, isEvent(condition) ? condition.name : event);
        continue;
      }
      const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[selection.name.value] : undefined;
      if (field?.extensions['dependsOnViewer']) {
        if (event === undefined) all = true;
        else types.add(event);
      } else if (field && selection.selectionSet) walk(selection.selectionSet, getNamedType(field.type), event);
    }
  };
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) walk(definition.selectionSet, schema.getSubscriptionType() ?? undefined, undefined);
  }
  return all ? 'all' : types;
}

const isEvent = (type: GraphQLNamedType | undefined): type is GraphQLObjectType =>
  isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'RoomEvent');

/** A context without a viewer, and whether a resolver has read the viewer from it all the same. */
export function sharedContext(services: Services): { context: Context; viewerSeen: () => boolean } {
  let seen = false;
  const context: Context = {
    ...services,
    get viewer() {
      seen = true;
      return undefined;
    },
    setCookie() {},
    wanted: () => true,
  };
  return { context, viewerSeen: () => seen };
}
