// Files that are served from memory. They are read once, at the start: a request opens no file, its path is only a key, and a
// later build of the files changes nothing in a running server.

import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { lookup } from 'mrmime';
import Negotiator from 'negotiator';
import { Refusal } from './refusal.ts';

/** In the order of preference. */
const encodings = ['br', 'gzip'] as const;
type Encoding = (typeof encodings)[number];
const extensions: Record<Encoding, string> = { br: '.br', gzip: '.gz' };
/** For files that the build has not compressed. Higher levels take seconds for a file of 5 MB. */
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

export interface StaticFile {
  readonly type: string;
  readonly cacheControl: string;
  /** Weak, because it is the same for all encodings. */
  readonly etag: string;
  readonly content: Buffer;
  readonly compressed: Map<Encoding, Buffer>;
}

/** The name of such a file contains a hash of its content. */
const forever = 'public, max-age=31536000, immutable';
/** Browsers keep such a file, and ask each time whether it has changed. */
export const revalidated = 'no-cache';

export function createFile(content: string | Buffer, type: string, cacheControl: string): StaticFile {
  const etag = `W/"${createHash('sha256').update(content).digest('base64url')}"`;
  return { type, cacheControl, etag, content: Buffer.from(content), compressed: new Map() };
}

/** Reads the files of a folder whose names contain a hash of their content. The keys are the names. */
export function readHashedFiles(folder: string): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  for (const name of globSync('*.*', { cwd: folder })) {
    if (Object.values(extensions).some((extension) => name.endsWith(extension))) continue;
    const type = lookup(name) ?? 'application/octet-stream';
    const isText = /^text\/|javascript|json|xml/.test(type);
    const file = createFile(readFileSync(join(folder, name)), isText ? `${type}; charset=utf-8` : type, forever);
    files.set(name, file);
    if (isText) for (const encoding of encodings) readCompressed(file, encoding, join(folder, name));
  }
  return files;
}

/** Takes the compressed form from the build. If it is missing, it is computed in another thread, and the file is served as it is until then. */
function readCompressed({ content, compressed }: StaticFile, encoding: Encoding, path: string): void {
  const built = path + extensions[encoding];
  if (existsSync(built)) {
    compressed.set(encoding, readFileSync(built));
    return;
  }
  const keep = (error: Error | null, bytes: Buffer) => {
    if (!error && bytes.length < content.length) compressed.set(encoding, bytes);
  };
  if (encoding === 'br') brotliCompress(content, brotliOptions, keep);
  else gzip(content, keep);
}

/** Answers with the file, or with 304 if the client has it. Throws 405 for another method than GET and HEAD. */
export function answerFile(request: IncomingMessage, response: ServerResponse, file: StaticFile): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    throw new Refusal(405, 'A file can only be read: send GET or HEAD.');
  }
  response.setHeader('etag', file.etag);
  response.setHeader('cache-control', file.cacheControl);
  if (file.compressed.size > 0) response.appendHeader('vary', 'accept-encoding');
  if (hasFile(request, file)) return void response.writeHead(304).end();
  const accepted = new Negotiator(request).encodings();
  const encoding = encodings.find((each) => accepted.includes(each) && file.compressed.has(each));
  const body = (encoding && file.compressed.get(encoding)) ?? file.content;
  if (encoding) response.setHeader('content-encoding', encoding);
  response.writeHead(200, { 'content-type': file.type, 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Compares weakly (https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match): proxies may make an entity tag weak. */
function hasFile({ headers }: IncomingMessage, { etag }: StaticFile): boolean {
  const known = (headers['if-none-match'] ?? '').split(',').map((each) => each.trim().replace(/^(?!W\/)/, 'W/'));
  return known.includes(etag) || known.includes('W/*');
}
