// Rejects a variable that is null in a place of a non-null type. GraphQL validation allows a nullable variable there if the
// place or the variable has a default value. The null then fails only during execution, where it looks like a server fault.

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

/** By operation: the variables of a nullable type that are used in a place of a non-null type. */
const nonNull = new WeakMap<OperationDefinitionNode, ReadonlySet<string>>();

export function nullVariableErrors(args: ValidatedExecutionArgs): readonly GraphQLError[] {
  const { operation, rawVariableValues } = args;
  const names = nonNull.get(operation) ?? findNonNull(args);
  return [...names]
    .filter((name) => rawVariableValues?.[name] === null)
    .map(
      (name) => new GraphQLError(`Variable "$${name}" is null but is used where null is not allowed: omit it to use the default value.`),
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
