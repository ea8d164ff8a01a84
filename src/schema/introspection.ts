// Limits what an introspection expands to. It has no page sizes and costs no query, so that its cost is not in cost.ts; but
// with aliases in aliases, 3 KB expand to millions of results, which are computed without a pause.

import {
  type ASTVisitor,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  getIntrospectionQuery,
  isInterfaceType,
  isObjectType,
  Kind,
  parse,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** How many times what the standard introspection query expands to one operation may expand to. */
const maxTimesStandard = 4;

/** For a schema: the number of results of the standard introspection query, as estimated here. */
const standards = new WeakMap<GraphQLSchema, number>();

/** An introspection that expands to this part of the standard one takes milliseconds. */
const largePart = 1 / 8;
const large = new WeakSet<DocumentNode>();

/** Whether the introspection of a document that was validated takes milliseconds. */
export const isLargeIntrospection = (document: DocumentNode): boolean => large.has(document);

/** A validation rule. Reports an operation whose introspection expands to much more than the standard introspection query. */
export function introspectionRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition({ selectionSet }) {
      const schema = context.getSchema();
      const findFragment = (name: string) => context.getFragment(name) ?? undefined;
      const most = maxTimesStandard * standardOf(schema);
      const results = countIntrospection(schema, selectionSet, findFragment);
      if (results > largePart * standardOf(schema)) large.add(context.getDocument());
      if (results <= most) return;
      context.reportError(
        new GraphQLError(`The introspection expands to about ${Math.round(results)} results. The limit is ${Math.round(most)}.`),
      );
    },
  };
}

/** A validation rule for a server whose introspection is turned off. `__typename` stays: clients need it. */
export function noIntrospectionRule(context: ValidationContext): ASTVisitor {
  return {
    Field(node) {
      const { value } = node.name;
      if (value !== '__schema' && value !== '__type') return;
      context.reportError(new GraphQLError(`${value} is not available: introspection is turned off on this server.`, { nodes: node }));
    },
  };
}

function standardOf(schema: GraphQLSchema): number {
  const known = standards.get(schema);
  if (known !== undefined) return known;
  const fragments = new Map<string, FragmentDefinitionNode>();
  let standard = 0;
  const document = parse(getIntrospectionQuery());
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) {
      standard += countIntrospection(schema, definition.selectionSet, (name) => fragments.get(name));
    }
  }
  standards.set(schema, standard);
  return standard;
}

/** The number of results of the fields `__schema` and `__type` in a selection set. */
function countIntrospection(
  schema: GraphQLSchema,
  root: SelectionSetNode,
  findFragment: (name: string) => FragmentDefinitionNode | undefined,
): number {
  const lengths = lengthsOf(schema);
  /** By fragment. Its number of results does not depend on where it is spread, so that it is counted once. */
  const counted = new Map<string, number>();

  const count = (selectionSet: SelectionSetNode | undefined, countField: (field: FieldNode) => number): number => {
    let results = 0;
    for (const selection of selectionSet?.selections ?? []) {
      if (selection.kind === Kind.FIELD) results += countField(selection);
      else if (selection.kind === Kind.INLINE_FRAGMENT) results += count(selection.selectionSet, countField);
      else results += countFragment(selection.name.value, countField);
    }
    return results;
  };
  const countFragment = (name: string, countField: (field: FieldNode) => number): number => {
    const known = counted.get(name);
    if (known !== undefined) return known;
    // A fragment that spreads itself is refused by another rule.
    counted.set(name, 0);
    const results = count(findFragment(name)?.selectionSet, countField);
    counted.set(name, results);
    return results;
  };
  const countInside = ({ name, selectionSet }: FieldNode): number => 1 + (lengths.get(name.value) ?? 1) * count(selectionSet, countInside);
  const countOutside = (field: FieldNode): number => {
    const { value } = field.name;
    return value === '__schema' || value === '__type' ? countInside(field) : count(field.selectionSet, countOutside);
  };
  return count(root, countOutside);
}

/** The lengths of the lists of an introspection: of all types, and the average of what each has. */
function lengthsOf(schema: GraphQLSchema): ReadonlyMap<string, number> {
  const types = Object.values(schema.getTypeMap());
  const composite = types.filter((type) => isObjectType(type) || isInterfaceType(type));
  const fields = composite.flatMap((type) => Object.values(type.getFields()));
  const argumentCount = fields.reduce((sum, { args }) => sum + args.length, 0);
  return new Map([
    ['types', types.length],
    ['directives', schema.getDirectives().length],
    ['fields', fields.length / composite.length],
    ['args', Math.max(1, argumentCount / fields.length)],
    ['inputFields', 2],
    ['enumValues', 3],
    ['interfaces', 1],
    ['possibleTypes', 3],
  ]);
}
