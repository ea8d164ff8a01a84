// Finds subscriptions that can share results: same operation, same variables, and an event type whose selection does not
// depend on the viewer.

import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type FragmentSpreadNode,
  type GraphQLCompositeType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  TypeInfo,
  type ValidatedSubscriptionArgs,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { Context, Services } from './context.ts';

/** The extensions of a field whose value differs between viewers, although all of them may read the object. */
export const dependsOnViewer = { dependsOnViewer: true } as const;

/** Which results a subscription can share, and with which subscriptions. */
export interface Sharing {
  /** Subscriptions with the same key have the same operation and variables. */
  readonly key: string;
  /** Whether an event of this type has the same result for all subscriptions with this key. */
  readonly covers: (type: string) => boolean;
}

/** Undefined if the result of every event depends on the viewer. */
export function sharingOf({ schema, document, operation, rawVariableValues }: ValidatedSubscriptionArgs): Sharing | undefined {
  const { id, startOnly, viewersOwn } = describe(document, schema);
  if (viewersOwn === 'all') return undefined;
  const variables = Object.entries(rawVariableValues ?? {}).filter(([name]) => !startOnly.has(name));
  const key = JSON.stringify([id, operation.name?.value, variables.sort(([a], [b]) => (a < b ? -1 : 1))]);
  return { key, covers: (type) => !viewersOwn.has(type) };
}

interface Description {
  readonly id: number;
  /** Variables that are used only as `after` of a root field. They are not part of the key, as they decide only where a stream starts. */
  readonly startOnly: ReadonlySet<string>;
  /** The event types whose selection contains a field that depends on the viewer. */
  readonly viewersOwn: ReadonlySet<string> | 'all';
}

/** By document. Equal texts are parsed to the same document while it is cached. */
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
  const found = new Set<string>();
  let all = false;
  const fragments = new Map(
    document.definitions.flatMap((each) => (each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each]] : [])),
  );
  // A fragment is walked once for each event type. Otherwise nested fragments take exponential time.
  const walked = new Set<string>();

  /** `outer` is the event type of the selections, if they belong to one event type. */
  const walk = (root: OperationDefinitionNode | FragmentDefinitionNode, outer: string | undefined): void => {
    const types = new TypeInfo(schema);
    const events = [outer];
    const visitor = {
      SelectionSet: {
        enter() {
          const type = types.getParentType();
          events.push(isEvent(type) ? type.name : events.at(-1));
        },
        leave: () => void events.pop(),
      },
      Field() {
        if (!types.getFieldDef()?.extensions['dependsOnViewer']) return undefined;
        const event = events.at(-1);
        if (event === undefined) all = true;
        else found.add(event);
        return false;
      },
      FragmentSpread({ name }: FragmentSpreadNode) {
        const fragment = fragments.get(name.value);
        const key = `${name.value} ${events.at(-1)}`;
        if (!fragment || walked.has(key)) return;
        walked.add(key);
        walk(fragment, events.at(-1));
      },
    };
    visit(root, visitWithTypeInfo(types, visitor));
  };

  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION && definition.operation === OperationTypeNode.SUBSCRIPTION)
      walk(definition, undefined);
  }
  return all ? 'all' : found;
}

const isEvent = (type: GraphQLCompositeType | undefined | null): type is GraphQLObjectType =>
  isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'RoomEvent' || name === 'ViewerEvent');

const neverEnded = new AbortController().signal;

/** A context without a viewer, and whether a resolver has read the viewer from it nevertheless. */
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
    ended: () => neverEnded,
  };
  return { context, viewerSeen: () => seen };
}
