// Generates files from the schema: `schema.graphql`, the error codes of the client kit, and the typed documents of the tests
// and the web chat. With --check it writes nothing, and fails if a file is not up to date.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { generate } from '@graphql-codegen/cli';
import { type GraphQLEnumType, lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './src/schema/index.ts';

const sdl = `${printSchema(lexicographicSortSchema(schema))}\n`;
const typed = (documents: string) => ({
  documents,
  preset: 'client' as const,
  presetConfig: { fragmentMasking: false },
  config: {
    enumType: 'string-literal',
    useTypeImports: true,
    scalars: { DateTime: 'string', ID: 'string' },
    strictScalars: true,
  },
});
const documents = await generate(
  {
    schema: sdl,
    silent: true,
    generates: {
      'tests/gql/': typed('tests/**/*.graphql'),
      'web/src/gql/': typed('web/src/**/*.graphql'),
    },
    importExtension: '.ts',
  },
  false,
);
const codes = (lexicographicSortSchema(schema).getType('ErrorCode') as GraphQLEnumType).getValues().map(({ name }) => `  '${name}',`);
const errorCodes = `// Written by \`npm run codegen\` from the schema: the values of ErrorCode.

export const errorCodes = [
${codes.join('\n')}
] as const;

/** Every value of \`extensions.code\`. More may come: a code that is not here counts as INTERNAL. */
export type ErrorCode = (typeof errorCodes)[number];
`;
const files = [
  { filename: 'schema.graphql', content: sdl },
  { filename: 'src/client/error-codes.ts', content: errorCodes },
  ...(documents as { filename: string; content: string }[]),
];

if (process.argv.includes('--check')) {
  const stale = files.filter(({ filename, content }) => read(filename) !== content).map(({ filename }) => filename);
  if (stale.length > 0) {
    console.error(`Not up to date, run \`npm run codegen\`: ${stale.join(', ')}`);
    process.exit(1);
  }
} else {
  for (const { filename, content } of files) {
    mkdirSync(dirname(filename), { recursive: true });
    writeFileSync(filename, content);
  }
}

function read(filename: string): string | undefined {
  try {
    return readFileSync(filename, 'utf8');
  } catch {
    return undefined;
  }
}
