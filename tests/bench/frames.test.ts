import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeFrame, encodeText, FrameParser, opcodes } from '../../bench/load/frames.ts';

type Frame = [opcode: number, length: number, payload: string | undefined];

/** A frame of a server, which has no mask. */
function frameOf(opcode: number, payload: string): Buffer {
  const { length } = Buffer.from(payload);
  const long = Buffer.alloc(length > 0xffff ? 8 : length > 125 ? 2 : 0);
  if (long.length === 2) long.writeUInt16BE(length);
  if (long.length === 8) long.writeBigUInt64BE(BigInt(length));
  return Buffer.concat([
    Buffer.from([0x80 | opcode, long.length === 8 ? 127 : long.length === 2 ? 126 : length]),
    long,
    Buffer.from(payload),
  ]);
}

/** Parses chunks that share one buffer, as the reads of the load do. */
function parse(chunks: readonly Uint8Array[], reading: boolean): Frame[] {
  const frames: Frame[] = [];
  const parser = new FrameParser({ frame: (opcode, length, payload) => frames.push([opcode, length, payload?.toString()]) });
  parser.reading = reading;
  const shared = Buffer.alloc(200_000);
  for (const chunk of chunks) {
    shared.set(chunk);
    parser.parse(shared.subarray(0, chunk.length));
  }
  return frames;
}

describe('frames', () => {
  const payloads: [number, string][] = [
    [opcodes.text, 'short'],
    [opcodes.text, ''],
    [opcodes.ping, 'ping'],
    [opcodes.text, 'é'.repeat(100)],
    [opcodes.text, 'x'],
    [opcodes.text, 'with a length of two bytes '.repeat(20)],
  ];
  const stream = Buffer.concat(payloads.map(([opcode, payload]) => frameOf(opcode, payload)));
  const whole: Frame[] = payloads.map(([opcode, payload]) => [opcode, Buffer.byteLength(payload), payload]);
  const counted: Frame[] = whole.map(([opcode, length, payload]) => [opcode, length, opcode === opcodes.text ? undefined : payload]);

  it('are parsed wherever the stream is cut in two', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const chunks = [stream.subarray(0, cut), stream.subarray(cut)];
      assert.deepEqual(parse(chunks, true), whole, `cut at ${cut}`);
      assert.deepEqual(parse(chunks, false), counted, `cut at ${cut}`);
    }
  });

  it('are parsed byte by byte', () => {
    const bytes = [...stream].map((byte) => Buffer.from([byte]));
    assert.deepEqual(parse(bytes, true), whole);
    assert.deepEqual(parse(bytes, false), counted);
  });

  it('may be larger than 64 KB', () => {
    const long = 'y'.repeat(70_000);
    assert.deepEqual(parse([frameOf(opcodes.text, long), frameOf(opcodes.text, 'next')], true), [
      [opcodes.text, 70_000, long],
      [opcodes.text, 4, 'next'],
    ]);
  });

  it('of a client are masked with zeros, so that the payload is unchanged', () => {
    assert.deepEqual(encodeText('hello'), Buffer.from([0x81, 0x85, 0, 0, 0, 0, ...Buffer.from('hello')]));
    const long = encodeText('z'.repeat(300));
    assert.deepEqual([...long.subarray(0, 8)], [0x81, 0xfe, 1, 44, 0, 0, 0, 0]);
    assert.equal(long.length, 308);
    assert.deepEqual(encodeFrame(opcodes.pong, Buffer.alloc(0)), Buffer.from([0x8a, 0x80, 0, 0, 0, 0]));
  });
});
