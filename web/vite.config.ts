// Builds the web chat into dist/web. Nothing is inlined, because the content security policy forbids it, and every asset has a
// hash in its name.

import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const from = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** The server that `npm run dev:web` talks to. */
const server = process.env['GAPLESS_URL'] ?? 'http://localhost:4000';

export default defineConfig({
  root: from('.'),
  // Relative URLs, because the server may be served under a path.
  base: './',
  plugins: [react()],
  resolve: {
    alias: [
      { find: 'gapless/client/urql', replacement: from('../src/client/urql.ts') },
      { find: 'gapless/client', replacement: from('../src/client/index.ts') },
    ],
  },
  build: {
    outDir: from('../dist/web'),
    emptyOutDir: true,
    target: 'es2023',
    // The content security policy forbids data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/graphql': { target: server, ws: true } } },
});
