// Writes what is generated from the schema: `schema.graphql` for people and clients, and the typed documents of the
// tests. With --check it writes nothing, and fails where a file is not what it would be.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { generate } from '@graphql-codegen/cli';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './src/schema/index.ts';

const sdl = `${printSchema(lexicographicSortSchema(schema))}\n`;
const documents = await generate(
  {
    schema: sdl,
    documents: 'tests/**/*.graphql',
    silent: true,
    generates: {
      'tests/gql/': {
        preset: 'client',
        presetConfig: { fragmentMasking: false },
        config: {
          enumType: 'string-literal',
          useTypeImports: true,
          scalars: { DateTime: 'string', ID: 'string' },
          strictScalars: true,
        },
      },
    },
    importExtension: '.ts',
  },
  false,
);
const files = [{ filename: 'schema.graphql', content: sdl }, ...(documents as { filename: string; content: string }[])];

if (process.argv.includes('--check')) {
  const stale = files.filter(({ filename, content }) => read(filename) !== content).map(({ filename }) => filename);
  if (stale.length > 0) {
    console.error(`Stale, write them anew with \`npm run codegen\`: ${stale.join(', ')}`);
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
