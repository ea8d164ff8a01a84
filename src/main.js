// The entry point. It runs on any Node, and checks the installation before it loads anything else.

import './installed.js';

await import('./serve.ts');
