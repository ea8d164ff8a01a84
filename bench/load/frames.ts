// The frames of a WebSocket (RFC 6455) as the load needs them: of what comes in it reads the headers, and payloads only
// where it is asked to; what goes out is masked with zeros, which costs nothing and is as good as any mask.

export const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const;

export interface FrameHandler {
  /** A frame has come to its end. `payload` is there if it was read. */
  frame(opcode: number, length: number, payload: Buffer | undefined): void;
}

/** What the next byte is. */
type Expected = 'opcode' | 'length' | 'longLength' | 'payload';

/** Goes through a stream of frames, however it is cut into chunks. */
export class FrameParser {
  /** Whether the payloads of text frames that begin from now on are read. Those of other frames always are. */
  reading = true;
  readonly #handler: FrameHandler;
  #expected: Expected = 'opcode';
  #opcode = 0;
  #length = 0;
  /** Bytes that are still to come: of the long length, then of the payload. */
  #left = 0;
  #parts: Buffer[] | undefined;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Takes the next bytes of the stream, and keeps none of them: the caller may use their place again. */
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

  /** Where it ends, or the bytes do. */
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

/** A frame as a client sends it, of less than 64 KB. */
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
