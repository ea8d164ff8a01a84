// Results as JSON, in the bytes that are written: latin1 strings with one character for each byte of UTF-8, which Node writes
// fastest and joins without copying. A result that many subscribers share is encoded once.

import type { ExecutionResult } from 'graphql';

const encoded = new WeakMap<ExecutionResult, string>();

/** The result as JSON, in bytes. */
export function encode(result: ExecutionResult): string {
  const known = encoded.get(result);
  if (known !== undefined) return known;
  const bytes = toBytes(JSON.stringify(result));
  encoded.set(result, bytes);
  return bytes;
}

/** The text in bytes. */
export const toBytes = (text: string): string => (Buffer.byteLength(text) === text.length ? text : Buffer.from(text).toString('latin1'));

/** A text frame of a server, its payload given in bytes (https://www.rfc-editor.org/rfc/rfc6455#section-5.2). */
export function textFrame(payload: string): string {
  const { length } = payload;
  if (length < 126) return `\x81${String.fromCharCode(length)}${payload}`;
  if (length < 65_536) return `\x81\x7e${String.fromCharCode(length >> 8, length & 255)}${payload}`;
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(length));
  return `\x81\x7f${size.toString('latin1')}${payload}`;
}
