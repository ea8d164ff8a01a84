// Runs on any Node, before anything else is loaded. Ends the process with a sentence if the packages are not installed, or
// if Node is too old to run TypeScript.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const required = 24;
const root = fileURLToPath(new URL('..', import.meta.url));

if (!isInstalled()) fail(`The packages of Gapless are not installed: run npm ci in ${root}.`);
if (Number.parseInt(process.versions.node, 10) < required) {
  fail(`Gapless needs Node ${required} or later, and this is Node ${process.versions.node}. \`npm start\` brings the right one with it.`);
}

/** Looked up as an import would be, because the packages of a dependency are in a folder above. */
function isInstalled() {
  try {
    createRequire(import.meta.url).resolve('pino');
    return true;
  } catch {
    return false;
  }
}

/** @param {string} sentence */
function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
