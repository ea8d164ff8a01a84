// A null that a variable brings to a place which does not take null. GraphQL allows such a variable if the place or the
// variable has a default value, and finds the null only while it executes: there it would look like a fault of the server.

import {
  GraphQLError,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  separateOperations,
  TypeInfo,
  type ValidatedExecutionArgs,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/** The variables of an operation that may be null by their type, and are used where null is not allowed. */
const nonNull = new WeakMap<OperationDefinitionNode, ReadonlySet<string>>();

export function nullVariableErrors(args: ValidatedExecutionArgs): readonly GraphQLError[] {
  const { operation, rawVariableValues } = args;
  const names = nonNull.get(operation) ?? findNonNull(args);
  return [...names]
    .filter((name) => rawVariableValues?.[name] === null)
    .map(
      (name) => new GraphQLError(`Variable "$${name}" is null, and is used where null is not allowed: leave it out for the default value.`),
    );
}

function findNonNull({ schema, document, operation }: ValidatedExecutionArgs): ReadonlySet<string> {
  const definitions = operation.variableDefinitions?.filter(({ type }) => type.kind !== Kind.NON_NULL_TYPE) ?? [];
  const nullable = new Set(definitions.map(({ variable }) => variable.name.value));
  const names = new Set<string>();
  const types = new TypeInfo(schema);
  visit(
    // The operation with the fragments that it uses.
    separateOperations(document)[operation.name?.value ?? ''] ?? document,
    visitWithTypeInfo(types, {
      VariableDefinition: () => false,
      Variable({ name }) {
        if (nullable.has(name.value) && isNonNullType(types.getInputType())) names.add(name.value);
      },
    }),
  );
  nonNull.set(operation, names);
  return names;
}
