// Reads the bodies of POSTs. Only JSON is read, because web pages can send other types without a CORS preflight. The bodies of
// all requests together have a bound in bytes.

import type { IncomingMessage } from 'node:http';
import { unavailable } from '../errors.ts';
import { maxBodyBytes } from './limits.ts';
import { Refusal } from './refusal.ts';

/** Bytes of all bodies that are read or executed. Above it, only small bodies are read. */
const maxNodeBytes = 32 * 1024 * 1024;
/** An ordinary operation has less than 4 KiB. */
const smallBytes = 16 * 1024;

export interface Body extends Disposable {
  /** Empty once disposed. */
  readonly text: string;
}

export class Bodies {
  #bytes = 0;

  /** Throws 415 for another type than JSON, 413 for a body that is too large, and UNAVAILABLE if there are too many large ones. */
  async read(request: IncomingMessage): Promise<Body> {
    const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
    if (type !== 'application/json') throw new Refusal(415, 'Send the operation as application/json.');
    const tooLarge = () => new Refusal(413, `The body may have ${maxBodyBytes} bytes at most.`);
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    // One buffer that grows: a list of chunks would cost a hundred bytes for each chunk, which may have one byte.
    let buffer = Buffer.alloc(0);
    let bytes = 0;
    const free = () => {
      this.#bytes -= buffer.length;
      buffer = Buffer.alloc(0);
    };
    const onData = (chunk: Buffer) => {
      const size = bytes + chunk.length;
      if (size > maxBodyBytes) return reject(tooLarge());
      if (size > buffer.length) {
        const grown = Math.min(Math.max(size, 2 * buffer.length), maxBodyBytes);
        if (grown > smallBytes && this.#bytes + grown - buffer.length > maxNodeBytes) return reject(tooManyLarge());
        this.#bytes += grown - buffer.length;
        const larger = Buffer.alloc(grown);
        buffer.copy(larger, 0, 0, bytes);
        buffer = larger;
      }
      chunk.copy(buffer, bytes);
      bytes = size;
    };
    request
      .on('data', onData)
      .on('end', () => resolve(buffer.toString('utf8', 0, bytes)))
      .on('error', () => reject(new Refusal(400, 'The body ended early.')));
    try {
      const text = await promise;
      return new ReadBody(text, free);
    } catch (error) {
      // What follows is read and dropped, until the connection closes.
      request.off('data', onData).resume();
      free();
      throw error;
    }
  }
}

class ReadBody implements Body {
  text: string;
  readonly #free: () => void;

  constructor(text: string, free: () => void) {
    this.text = text;
    this.#free = free;
  }

  [Symbol.dispose](): void {
    this.text = '';
    this.#free();
  }
}

const tooManyLarge = () => unavailable('Too many large requests are being sent to this node: retry.');
