// What an operation may ask for at once. Rooms have messages, which have rooms: without a bound, one request of a few
// lines would have the server fetch millions of rows.

import { createComplexityRule } from '@pothos/plugin-complexity';
import { type DocumentNode, GraphQLError, Kind, type ValidatedExecutionArgs, validate, visit } from 'graphql';
import type { PageArgs } from '../storage/page.ts';
import type { Context } from './context.ts';

/** Fields that may be resolved, counted by the sizes of the pages asked for, and how deep they may lie. */
const maxCost = 50_000;
const maxDepth = 20;
/** A page that is a query of its own, for each object that has it, counts as so many fields. */
const pageCost = 25;

/** The cost of a connection: its page, and what is asked of each node. A page of more than 100 is refused on its own account. */
export const costOfPage = ({ first, last }: PageArgs) => ({ field: pageCost, multiplier: Math.min(first ?? last ?? 20, 100) });
/** The list within a page: its length is counted already. */
export const costOfList = { field: 1, multiplier: 1 };

/** Operations that were found to ask for little, by document, whatever their variables: most are asked for again and again. */
const little = new WeakMap<DocumentNode, Set<string | undefined>>();

/** The errors of an operation that asks for too much; none for one that may be executed. */
export function costErrors({
  schema,
  document,
  operation,
  rawVariableValues,
  contextValue,
}: ValidatedExecutionArgs): readonly GraphQLError[] {
  const operationName = operation.name?.value;
  if (little.get(document)?.has(operationName)) return [];
  const rule = createComplexityRule({
    variableValues: rawVariableValues ?? {},
    operationName: operationName ?? null,
    context: contextValue as Context,
    validate({ complexity, depth }, report) {
      if (depth > maxDepth) report(new GraphQLError(`The operation is ${depth} fields deep, and may be ${maxDepth}.`));
      if (complexity > maxCost) {
        report(new GraphQLError(`The operation asks for about ${complexity} fields, and may for ${maxCost}: ask for smaller pages.`));
      }
    },
  });
  const errors = validate(schema, document, [rule]);
  if (errors.length === 0 && !hasVariableCost(document)) little.set(document, (little.get(document) ?? new Set()).add(operationName));
  return errors;
}

/** Whether what it costs depends on a variable. */
function hasVariableCost(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Argument({ name, value }) {
      if (value.kind === Kind.VARIABLE && (name.value === 'first' || name.value === 'last')) found = true;
    },
    Directive() {
      found = true;
    },
  });
  return found;
}
