// Pages through a connection as a client does.

import assert from 'node:assert/strict';
import type { PageViewFragment } from '../gql/graphql.ts';

export interface Connection {
  readonly edges: readonly { readonly cursor: string; readonly node: { readonly id: string } }[];
  readonly nodes: readonly { readonly id: string }[];
  readonly pageInfo: PageViewFragment;
}

export interface PageArguments {
  readonly first?: number;
  readonly after?: string;
  readonly last?: number;
  readonly before?: string;
}

type Read = (args: PageArguments) => Promise<Connection | undefined>;

export const idsOf = (connection: Connection | undefined): string[] => connection?.edges.map(({ node }) => node.id) ?? [];

/**
 * Reads a whole list in pages of `size`, forward and backward. Checks that both give exactly `expected`, in order, and that
 * hasNextPage and hasPreviousPage are right on each page.
 */
export async function assertPages(read: Read, size: number, expected: readonly string[]): Promise<void> {
  const forward: string[] = [];
  for (let after: string | undefined; ; ) {
    const { ids, pageInfo } = await readPage(read, { first: size, ...(after === undefined ? {} : { after }) });
    forward.push(...ids);
    assert.equal(pageInfo.hasNextPage, forward.length < expected.length, 'hasNextPage on the way forward');
    if (after === undefined) assert.equal(pageInfo.hasPreviousPage, false, 'hasPreviousPage of the first page');
    if (!pageInfo.hasNextPage) break;
    assert.equal(ids.length, size);
    after = pageInfo.endCursor as string;
  }
  assert.deepEqual(forward, expected);

  const backward: string[] = [];
  for (let before: string | undefined; ; ) {
    const { ids, pageInfo } = await readPage(read, { last: size, ...(before === undefined ? {} : { before }) });
    backward.unshift(...ids);
    assert.equal(pageInfo.hasPreviousPage, backward.length < expected.length, 'hasPreviousPage on the way backward');
    if (before === undefined) assert.equal(pageInfo.hasNextPage, false, 'hasNextPage of the last page');
    if (!pageInfo.hasPreviousPage) break;
    assert.equal(ids.length, size);
    before = pageInfo.startCursor as string;
  }
  assert.deepEqual(backward, expected);
}

async function readPage(read: Read, args: PageArguments): Promise<{ ids: string[]; pageInfo: PageViewFragment }> {
  const connection = await read(args);
  if (!connection) throw new Error('The list is missing in the answer.');
  const { edges, nodes, pageInfo } = connection;
  assert.equal(pageInfo.startCursor, edges[0]?.cursor ?? null);
  assert.equal(pageInfo.endCursor, edges.at(-1)?.cursor ?? null);
  const ids = idsOf(connection);
  assert.deepEqual(
    nodes.map(({ id }) => id),
    ids,
  );
  return { ids, pageInfo };
}
