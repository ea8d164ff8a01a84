// Breaks a server from outside: `node --import <this file>?<control> src/main.js`. A file of `proof/controls/<control>/`
// stands in for the file of the same path in `src/`, for every module but those of the control, which see the original.
// What is in the folder itself stands in for nothing.

import { existsSync, globSync } from 'node:fs';
import { registerHooks } from 'node:module';

const source = new URL('../../src/', import.meta.url).href;
const control = new URL(`./${new URL(import.meta.url).search.slice(1)}/`, import.meta.url);
if (!existsSync(control)) throw new Error(`There is no control at ${control.href}.`);
// Otherwise a file that was renamed in `src/` would leave a control that breaks nothing.
for (const path of globSync('*/**/*.ts', { cwd: control })) {
  if (!existsSync(new URL(path, source))) throw new Error(`${path} of ${control.href} stands in for nothing.`);
}

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (!resolved.url.startsWith(source) || context.parentURL?.startsWith(control.href)) return resolved;
    const standIn = new URL(resolved.url.slice(source.length), control);
    return existsSync(standIn) ? { ...resolved, url: standIn.href } : resolved;
  },
});
