// Limits on the cost and depth of one operation. Rooms contain messages, which refer to rooms: without a limit, a request
// of a few lines makes the server fetch millions of rows.

import { createComplexityRule } from '@pothos/plugin-complexity';
import { type DocumentNode, GraphQLError, Kind, type ValidatedExecutionArgs, validate, visit } from 'graphql';
import type { PageArgs } from '../storage/page.ts';
import type { Context } from './context.ts';

/** Maximum number of fields to resolve, estimated from the requested page sizes. */
const maxCost = 50_000;
/** Maximum depth of nested fields. */
const maxDepth = 20;
/** Cost of a database query for one object, in fields. */
export const costOfQuery = 25;

/** Bytes of text that cost as much as a field. */
const bytesPerField = 2000;
/** A character has at most 4 bytes in UTF-8. */
const bytesPerCharacter = 4;

/** The cost of a text of at most this many characters, in fields. It costs what it can be, not what it is. */
export const costOfText = (maxCharacters: number): number => Math.max(1, Math.ceil((maxCharacters * bytesPerCharacter) / bytesPerField));

/**
 * The cost of a connection: its page, what is read for each row although no field is selected, and the selected fields of each
 * node. Counts 100 nodes at most, as a larger page is rejected anyway.
 */
export const costOfPage =
  (rowCost = 0) =>
  ({ first, last }: PageArgs) => {
    const rows = Math.max(0, Math.min(first ?? last ?? 20, 100));
    return { field: costOfQuery + rows * rowCost, multiplier: rows };
  };
/** The cost of the lists of a page. `costOfPage` has already counted their length. */
export const costOfList = { field: 1, multiplier: 1 };

/** Operations within the limits for all variables, by document. A cache, because most operations are sent repeatedly. */
const withinLimits = new WeakMap<DocumentNode, Set<string | undefined>>();

/** The errors of an operation that exceeds a limit. Empty if it may be executed. */
export function costErrors({
  schema,
  document,
  operation,
  rawVariableValues,
  contextValue,
}: ValidatedExecutionArgs): readonly GraphQLError[] {
  const operationName = operation.name?.value;
  if (withinLimits.get(document)?.has(operationName)) return [];
  const rule = createComplexityRule({
    variableValues: rawVariableValues ?? {},
    operationName: operationName ?? null,
    context: contextValue as Context,
    validate({ complexity, depth }, report) {
      if (depth > maxDepth) report(new GraphQLError(`The operation is ${depth} levels deep. The limit is ${maxDepth}.`));
      if (complexity > maxCost) {
        report(new GraphQLError(`The operation requests about ${complexity} fields. The limit is ${maxCost}: request smaller pages.`));
      }
    },
  });
  const errors = validate(schema, document, [rule]);
  if (errors.length === 0 && !hasVariableCost(document))
    withinLimits.set(document, (withinLimits.get(document) ?? new Set()).add(operationName));
  return errors;
}

/** Whether the cost depends on a variable: on the size of a page, or on a directive such as @include. */
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
