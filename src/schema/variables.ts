// Checks the variables of an operation, and drops those that it does not declare.
//
// Rejects a variable that is null in a place of a non-null type. GraphQL validation allows a nullable variable there if the
// place or the variable has a default value. The null then fails only during execution, where it looks like a server fault.

import {
  type ExecutionArgs,
  GraphQLError,
  getOperationAST,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  separateOperations,
  TypeInfo,
  type ValidatedExecutionArgs,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/**
 * The arguments without the variables that the operation does not declare. A subscription keeps its variables for as long as
 * it lives, and undeclared ones are never read.
 */
export function withDeclaredVariables(args: ExecutionArgs): ExecutionArgs {
  const { document, operationName, variableValues } = args;
  const operation = getOperationAST(document, operationName);
  return operation && variableValues ? { ...args, variableValues: declaredOf(operation, variableValues) } : args;
}

/** Values in the variables of an operation. The longest list of the schema has 100. */
const maxValues = 1000;

/** The error for variables with so many values that their coercion would take long. Empty if there is none. */
export function variableCountErrors({ variableValues }: ExecutionArgs): readonly GraphQLError[] {
  const values: unknown[] = [variableValues];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (typeof value !== 'object' || value === null) continue;
    const inside = Object.values(value);
    if (values.length + inside.length > maxValues) return [new GraphQLError(`The variables may have ${maxValues} values.`)];
    values.push(...inside);
  }
  return [];
}

/** The variables that the operation declares. */
export function declaredOf<Value>(
  { variableDefinitions = [] }: OperationDefinitionNode,
  variables: { readonly [name: string]: Value },
): { readonly [name: string]: Value } {
  const names = new Set(variableDefinitions.map(({ variable }) => variable.name.value));
  const given = Object.entries(variables);
  return given.every(([name]) => names.has(name)) ? variables : Object.fromEntries(given.filter(([name]) => names.has(name)));
}

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
