// Writes GraphiQL into the folder of the built pages: a page, and its scripts and styles as files that browsers cache. The
// package has them as strings, for a page of 9 MB that no cache could keep.

import { createHash } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Package {
  readonly js: string;
  readonly css: string;
  readonly editorWorkerService: string;
  readonly jsonWorker: string;
  readonly graphqlWorker: string;
}

// GraphiQL 5 has draggable tabs. With several tabs at the start it treats each press as a drag, moves the tab from under the
// pointer, and the click is lost.
const stillTabs = '.graphiql-tab { transform: none !important; }';

/** `folder` holds the built web chat, whose icon GraphiQL shows. */
export async function buildGraphiQL(folder: string): Promise<void> {
  const source = new URL('graphiql.js', import.meta.resolve('@graphql-yoga/render-graphiql'));
  const { js, css, editorWorkerService, jsonWorker, graphqlWorker }: Package = await import(source.href);
  const read = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8');
  const contents = {
    'graphiql.js': js,
    'graphiql.css': css + stillTabs,
    'start.js': read('start.js'),
    'editor-worker.js': editorWorkerService,
    'json-worker.js': jsonWorker,
    'graphql-worker.js': graphqlWorker,
  };
  let html = read('index.html').replace('{icon.svg}', globSync('assets/icon-*.svg', { cwd: folder })[0] ?? '');
  for (const [name, content] of Object.entries(contents)) {
    const hash = createHash('sha256').update(content).digest('base64url').slice(0, 8);
    const path = `assets/${name.replace('.', `-${hash}.`)}`;
    writeFileSync(join(folder, path), content);
    html = html.replace(`{${name}}`, path);
  }
  writeFileSync(join(folder, 'graphiql.html'), html);
}
