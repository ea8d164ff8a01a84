// Reads the body of a POST. Only JSON is read, because web pages can send other types without a CORS
// preflight.

import type { IncomingMessage } from 'node:http';
import { maxBodyBytes } from './limits.ts';
import { Refusal } from './refusal.ts';

/** Throws 415 for another type than JSON, and 413 for a body that is too large. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new Refusal(415, 'Send the operation as application/json.');
  const tooLarge = () => new Refusal(413, `The body may have ${maxBodyBytes} bytes at most.`);
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge();
  const { promise: body, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  request
    .on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBodyBytes) reject(tooLarge());
      else chunks.push(chunk);
    })
    .on('end', () => resolve(Buffer.concat(chunks).toString()))
    .on('error', () => reject(new Refusal(400, 'The body ended early.')));
  return body;
}
