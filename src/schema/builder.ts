// The schema builder: its plugins, scalars, and what all connections, inputs and payloads have in common.

import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import RelayPlugin from '@pothos/plugin-relay';
import ValidationPlugin from '@pothos/plugin-validation';
import { badInput } from '../errors.ts';
import type { Context } from './context.ts';
import { costOfList } from './cost.ts';

export const builder = new SchemaBuilder<{
  Context: Context;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
  };
}>({
  plugins: [RelayPlugin, ValidationPlugin, DataloaderPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  validation: {
    validationError({ issues: [issue] }) {
      const field = String((issue?.path ?? []).findLast((step) => typeof step === 'string') ?? 'input');
      return badInput(`${field} ${issue?.message}.`, field);
    },
  },
  relay: {
    cursorType: 'String',
    clientMutationId: 'omit',
    nodesQueryOptions: false,
    nodeQueryOptions: false,
    nodesOnConnection: {
      complexity: costOfList,
      description: 'The nodes of the edges: a shorthand for exploring. Caches that merge pages read edges.',
    },
    edgesFieldOptions: {
      nullable: false,
      complexity: costOfList,
      description: 'The page, in the order of the list, each node with its cursor.',
    },
    nodeFieldOptions: { nullable: false, description: 'What the edge leads to.' },
    cursorFieldOptions: { description: 'Place in the list. Opaque. Serves as after or before in the same list.' },
    pageInfoFieldOptions: { description: 'Where the page lies in the list.' },
    mutationInputArgOptions: { description: 'What to do.' },
    relayMutationFieldOptions: { nullable: true },
    nodeTypeOptions: { description: 'Whatever has a global id. An id is opaque; its prefix names its type, as in room_… or message_….' },
    idFieldOptions: { description: 'Global id. Opaque; serves as id in node.' },
    encodeGlobalID: (_type, id) => String(id),
    decodeGlobalID: (id) => ({ typename: '', id }),
    pageInfoTypeOptions: { description: 'Where a page lies in its list.' },
    hasNextPageFieldOptions: { description: 'Whether more follows behind the page.' },
    hasPreviousPageFieldOptions: { description: 'Whether more lies in front of the page.' },
    startCursorFieldOptions: { description: 'Cursor of the first edge. Null for an empty page.' },
    endCursorFieldOptions: { description: 'Cursor of the last edge. Null for an empty page.' },
    firstArgOptions: { description: 'How many to take from the start, 1 to 100. Not together with last. With neither: 20.' },
    lastArgOptions: { description: 'How many to take from the end, 1 to 100. Not together with first.' },
    afterArgOptions: { description: 'Only what comes behind this cursor. CURSOR_INVALID where it is not of this list.' },
    beforeArgOptions: { description: 'Only what comes in front of this cursor. CURSOR_INVALID where it is not of this list.' },
  },
});

builder.queryType({ description: 'What can be read.' });
builder.mutationType({
  description:
    'What can be done. A field is nullable, what its payload holds is not: a failure is a top-level error whose extensions.code is an ErrorCode, with extensions.field naming the input field where there is one.',
});
builder.subscriptionType({ description: 'What can be watched, from any position on, with nothing left out.' });

builder.scalarType('DateTime', {
  description: 'RFC 3339 instant in UTC with milliseconds.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  serialize: (instant) => instant.toISOString(),
  parseValue: (value) => {
    const instant = new Date(String(value));
    if (Number.isNaN(instant.getTime())) throw badInput(`${String(value)} is not an RFC 3339 instant.`);
    return instant;
  },
});

/** The rows of a page as a Relay connection. */
export function toConnection<Row>(page: { rows: Row[]; hasNextPage: boolean; hasPreviousPage: boolean }, cursorOf: (row: Row) => string) {
  const edges = page.rows.map((node) => ({ node, cursor: cursorOf(node) }));
  return {
    edges,
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage: page.hasPreviousPage,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
