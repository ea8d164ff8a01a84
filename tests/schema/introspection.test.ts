// What an introspection may expand to: the standard query passes, and what would keep the node busy is refused before it runs.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { getIntrospectionQuery } from 'graphql';
import { parseDocument, validateDocument } from '../../src/transport/documents.ts';
import { range } from '../support/storage.ts';

const times = (count: number, field: (i: number) => string) => range(1, count).map(field).join(' ');
const aliased = (count: number, field: string) => times(count, (i) => `a${i}: ${field}`);

const accepted = {
  'the standard query': getIntrospectionQuery(),
  'the standard query with everything': getIntrospectionQuery({
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
  }),
  'the type of each object': '{ viewer { __typename user { __typename } } }',
};
const onType = (fields: string) => `fragment A on __Type { ${fields} }`;
const refused = {
  'fragments in fragments': `{ __schema { types { ...A } } } ${onType(aliased(60, 'fields { type { ...B } }'))}
    fragment B on __Type { ${aliased(60, 'fields { ...C }')} } fragment C on __Field { ${aliased(60, 'name')} }`,
  'aliases of one type': `{ ${aliased(60, '__type(name: "Query") { ...A }')} } ${onType(aliased(60, 'fields { ...C }'))}
    fragment C on __Field { ${aliased(60, 'name')} }`,
  'ten standard queries': `{ ${aliased(10, '__schema { ...S }')} } ${getIntrospectionQuery()
    .replace(/query IntrospectionQuery \{\s*__schema/, 'fragment S on __Schema')
    .replace(/\}\s*\}\s*fragment FullType/, '} fragment FullType')}`,
  'an introspection below a fragment of the query': `{ ...Q } fragment Q on Query { ...R } fragment R on Query { __schema { types { ...A } } }
    ${onType(aliased(120, 'fields { name args { name } type { name } }'))}`,
  'an introspection in a mutation': `mutation M { signOut { signedOut } } query Other { __schema { types { ...A } } }
    ${onType(aliased(120, 'fields { name args { name } type { name } }'))}`,
};

describe('an introspection', () => {
  for (const [what, query] of Object.entries(accepted)) {
    it(`is accepted: ${what}`, () => assert.deepEqual(validateDocument(parseDocument(query)), []));
  }
  for (const [what, query] of Object.entries(refused)) {
    it(`is refused: ${what}`, () => {
      const [error, ...others] = validateDocument(parseDocument(query));
      assert.match(error?.message ?? '', /^The introspection expands to about \d+ results\. The limit is \d+\.$/);
      assert.deepEqual(others, []);
    });
  }
});
