// A Node preload that disables group commit: each send is written in its own transaction.

import { registerHooks } from 'node:module';

const lane = new URL('../../src/chat/lane.ts', import.meta.url).href;
const bound = /const maxTogether = \d+;/;

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (url !== lane) return loaded;
    const source = String(loaded.source);
    // If the constant is renamed, the server would silently be compared with itself.
    if (!bound.test(source)) throw new Error(`${lane} does not match ${bound}.`);
    return { ...loaded, source: source.replace(bound, 'const maxTogether = 1;') };
  },
});
