// Builds the chat page into dist/web, as the server serves it: nothing inline, every asset under its hash.

import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const from = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** The server that `npm run dev:web` talks to. */
const server = process.env['GAPLESS_URL'] ?? 'http://localhost:4000';

export default defineConfig({
  root: from('.'),
  base: '/',
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
    // A data: URL would break the page's content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/graphql': { target: server, ws: true } } },
});
