// The pages that `npm run build` has written into dist/web: the web chat at `/`, and GraphiQL. They load nothing from other hosts.

import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import { graphiqlOptions } from './graphiql.ts';
import { answerFile, createFile, readHashedFiles, revalidated } from './static-files.ts';

const built = join(import.meta.dirname, '../../dist/web');
const assetsPath = '/assets/';

const policy = {
  'default-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'self'",
  'object-src': "'none'",
};
// The editor of GraphiQL, Monaco, writes style attributes and style elements. Its font and icons are data: URLs in its CSS.
const graphiqlPolicy = { ...policy, 'style-src': "'self' 'unsafe-inline'", 'font-src': "'self' data:", 'img-src': "'self' data:" };

export interface Pages {
  /** Answers a request for the web chat or for an asset of a page. False if the request is for something else. */
  answer(request: IncomingMessage, response: ServerResponse, path: string): boolean;
  /** Answers with GraphiQL. */
  answerGraphiQL(request: IncomingMessage, response: ServerResponse): void;
}

/** Reads the pages in `folder`, and writes into them what depends on the settings. Undefined if they are not built. */
export function openPages(config: Pick<Config, 'identity' | 'graphiql'>, log: Log, folder = built): Pages | undefined {
  if (!['index.html', 'graphiql.html'].every((name) => existsSync(join(folder, name)))) {
    log.warn('the web chat and GraphiQL are not built, and are not served: `npm run build` builds them');
    return undefined;
  }
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const pageOf = (html: string) => createFile(html, 'text/html; charset=utf-8', revalidated);
  const chat = pageOf(
    read('index.html')
      .replace('data-identity="guest"', `data-identity="${config.identity.mode}"`)
      .replace('data-graphiql="on"', `data-graphiql="${config.graphiql ? 'on' : 'off'}"`),
  );
  const graphiql = pageOf(read('graphiql.html').replace('{}', () => toScript(graphiqlOptions)));
  const assets = readHashedFiles(join(folder, assetsPath));
  return {
    answer(request, response, path) {
      const asset = path.startsWith(assetsPath) ? assets.get(path.slice(assetsPath.length)) : undefined;
      const file = path === '/' ? chat : asset;
      if (!file) return false;
      secure(response, policy);
      answerFile(request, response, file);
      return true;
    },
    answerGraphiQL(request, response) {
      // The address has GraphQL answers as well.
      response.appendHeader('vary', 'accept');
      secure(response, graphiqlPolicy);
      answerFile(request, response, graphiql);
    },
  };
}

function secure(response: ServerResponse, directives: Record<string, string>): void {
  const value = Object.entries(directives).map(([name, sources]) => `${name} ${sources}`);
  response.setHeader('content-security-policy', value.join('; '));
  response.setHeader('referrer-policy', 'no-referrer');
}

/** JSON that can stand in a script element. */
const toScript = (value: unknown) => JSON.stringify(value).replaceAll('<', '\\u003c');
