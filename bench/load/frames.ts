// WebSocket frames (RFC 6455) for the load. It reads the headers of incoming frames, and payloads only on request. Outgoing
// frames are masked with zeros, a valid mask that costs nothing.

export const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const;

export interface FrameHandler {
  /** A frame is complete. `payload` is set if it was read. */
  frame(opcode: number, length: number, payload: Buffer | undefined): void;
}

/** What the next byte belongs to. */
type Expected = 'opcode' | 'length' | 'longLength' | 'payload';

/** Parses a stream of frames from chunks of any size. */
export class FrameParser {
  /** Whether the payloads of new text frames are read. Payloads of other frames always are. */
  reading = true;
  readonly #handler: FrameHandler;
  #expected: Expected = 'opcode';
  #opcode = 0;
  #length = 0;
  /** Missing bytes: of the long length, then of the payload. */
  #left = 0;
  #parts: Buffer[] | undefined;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Parses the next bytes and keeps none of them, so the caller may reuse the buffer. */
  parse(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#expected === 'payload') at = this.#readPayload(bytes, at);
      else this.#readHeader(bytes[at++] as number);
    }
  }

  #readHeader(byte: number): void {
    if (this.#expected === 'opcode') {
      this.#opcode = byte & 0x0f;
      this.#expected = 'length';
    } else if (this.#expected === 'length') {
      const short = byte & 0x7f;
      this.#expected = 'longLength';
      this.#left = short === 127 ? 8 : 2;
      this.#length = short < 126 ? short : 0;
      if (short < 126) this.#begin();
    } else {
      this.#length = this.#length * 256 + byte;
      this.#left -= 1;
      if (this.#left === 0) this.#begin();
    }
  }

  #begin(): void {
    this.#expected = 'payload';
    this.#left = this.#length;
    this.#parts = this.reading || this.#opcode !== opcodes.text ? [] : undefined;
    if (this.#length === 0) this.#finish();
  }

  /** Returns where the payload or the chunk ends. */
  #readPayload(bytes: Uint8Array, at: number): number {
    const end = Math.min(at + this.#left, bytes.length);
    this.#parts?.push(Buffer.from(bytes.subarray(at, end)));
    this.#left -= end - at;
    if (this.#left === 0) this.#finish();
    return end;
  }

  #finish(): void {
    this.#expected = 'opcode';
    this.#handler.frame(this.#opcode, this.#length, this.#parts && Buffer.concat(this.#parts));
  }
}

/** Encodes a client's frame of less than 64 KB. */
export function encodeFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length >= 2 ** 16) throw new Error('The load sends no frames of 64 KB or more.');
  const head = Buffer.alloc((length < 126 ? 2 : 4) + maskBytes);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (length < 126 ? length : 126);
  if (length >= 126) head.writeUInt16BE(length, 2);
  return Buffer.concat([head, payload]);
}
const maskBytes = 4;

export const encodeText = (text: string): Buffer => encodeFrame(opcodes.text, Buffer.from(text));
