// Runs a server as a control: `node --import <this file>?<control> src/main.js`. A file in a folder of
// `proof/controls/<control>/` replaces the file with the same path in `src/`, for every module but those of the control,
// which import the original.

import { existsSync, globSync } from 'node:fs';
import { registerHooks } from 'node:module';

const source = new URL('../../src/', import.meta.url).href;
const control = new URL(`./${new URL(import.meta.url).search.slice(1)}/`, import.meta.url);
if (!existsSync(control)) throw new Error(`There is no control at ${control.href}.`);
// Otherwise, renaming a file in `src/` would leave a control that breaks nothing.
for (const path of globSync('*/**/*.ts', { cwd: control })) {
  if (!existsSync(new URL(path, source))) throw new Error(`${path} of ${control.href} replaces no file of src.`);
}

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (!resolved.url.startsWith(source) || context.parentURL?.startsWith(control.href)) return resolved;
    const standIn = new URL(resolved.url.slice(source.length), control);
    return existsSync(standIn) ? { ...resolved, url: standIn.href } : resolved;
  },
});
