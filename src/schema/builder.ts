// The schema builder: plugins, scalars, and the settings that all connections, inputs and payloads share.

import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import RelayPlugin from '@pothos/plugin-relay';
import ValidationPlugin from '@pothos/plugin-validation';
import { GraphQLError } from 'graphql';
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
      description: 'The nodes of the edges: a shorthand for exploring. A cache that merges pages must read edges instead.',
    },
    edgesFieldOptions: {
      nullable: false,
      complexity: costOfList,
      description: 'The items of the page, in list order, each with its cursor.',
    },
    nodeFieldOptions: { nullable: false, description: 'The item at this place in the list.' },
    cursorFieldOptions: { description: 'Position of this item in the list. Opaque. Valid as after or before in the same list.' },
    pageInfoFieldOptions: { description: 'Whether there are more items before or after this page.' },
    mutationInputArgOptions: { description: 'The arguments of the mutation.' },
    relayMutationFieldOptions: { nullable: true },
    nodeTypeOptions: { description: 'An object with a global id. An id is opaque; its prefix names its type, as in room_… or message_….' },
    idFieldOptions: { description: 'Global id. Opaque. Valid as the argument id of node.' },
    encodeGlobalID: (_type, id) => String(id),
    decodeGlobalID: (id) => ({ typename: '', id }),
    pageInfoTypeOptions: { description: 'Position of a page in its list.' },
    hasNextPageFieldOptions: { description: 'Whether there are items after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether there are items before this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first edge. Null for an empty page.' },
    endCursorFieldOptions: { description: 'Cursor of the last edge. Null for an empty page.' },
    firstArgOptions: {
      description: 'Number of items from the start of the list, 1 to 100. Cannot be combined with last. The default without last is 20.',
    },
    lastArgOptions: { description: 'Number of items from the end of the list, 1 to 100. Cannot be combined with first.' },
    afterArgOptions: { description: 'Return only items after this cursor. CURSOR_INVALID if the cursor belongs to another list.' },
    beforeArgOptions: { description: 'Return only items before this cursor. CURSOR_INVALID if the cursor belongs to another list.' },
  },
});

builder.queryType({ description: 'All reads.' });
builder.mutationType({
  description:
    'All writes. Every field is nullable; the fields of its payload are not. A failure is a top-level error whose extensions.code is an ErrorCode and whose extensions.field names the input field at fault, if there is one.',
});
builder.subscriptionType({ description: 'Live streams. Each can start at any position that is still kept, and omits nothing after it.' });

builder.scalarType('DateTime', {
  description: 'RFC 3339 instant in UTC with milliseconds.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  serialize: (instant) => instant.toISOString(),
  parseValue: parseInstant,
});

const rfc3339 = /^(\d{4}-\d\d-\d\d)[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

function parseInstant(value: unknown): Date {
  const [text = '', day = ''] = typeof value === 'string' ? (rfc3339.exec(value) ?? []) : [];
  const instant = new Date(text.toUpperCase());
  // A day that its month does not have is another day to Date, and an offset can lead to a year of five digits.
  const isInstant =
    !Number.isNaN(instant.getTime()) && new Date(day).toISOString().startsWith(day) && /^\d{4}-/.test(instant.toISOString());
  if (!isInstant) {
    throw new GraphQLError('A DateTime must be an RFC 3339 instant, such as 2030-01-01T00:00:00Z.');
  }
  return instant;
}

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
