import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventStreamParser } from '../../src/client/event-stream-parser.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** Parses bytes that arrive in these chunks, as `eventStreams` does. */
function parse(chunks: readonly Uint8Array[]) {
  const decoder = new TextDecoder();
  const parser = new EventStreamParser();
  return chunks.flatMap((chunk) => parser.push(decoder.decode(chunk, { stream: true })));
}

const text = (lineEnd: string) =>
  ['id: 1', '', 'event: next', 'id: 2', 'data: {"body":"안녕 👋 é"}', '', ':', '', 'event: complete', 'data: ', '', ''].join(lineEnd);
const expected = [
  { name: 'next', data: '{"body":"안녕 👋 é"}' },
  { name: 'complete', data: '' },
];

describe('the parser of event streams', () => {
  for (const [name, lineEnd] of Object.entries({ LF: '\n', CRLF: '\r\n', CR: '\r' })) {
    it(`reads lines that end with ${name}, wherever the chunks are cut`, () => {
      const whole = bytes(text(lineEnd));
      assert.deepEqual(parse([whole]), expected);
      assert.deepEqual(parse([...whole].map((byte) => Uint8Array.of(byte))), expected, 'byte by byte');
      for (let cut = 0; cut <= whole.length; cut += 1) {
        assert.deepEqual(parse([whole.slice(0, cut), whole.slice(cut)]), expected, `cut at ${cut}`);
      }
    });
  }

  it('returns an event as soon as its blank line has arrived', () => {
    for (const lineEnd of ['\n', '\r\n', '\r']) {
      const parser = new EventStreamParser();
      assert.equal(parser.push(`event: next${lineEnd}data: 1${lineEnd}`).length, 0);
      assert.deepEqual(parser.push(lineEnd), [{ name: 'next', data: '1' }]);
    }
  });

  it('reads fields without a space, joins several lines of data, and ignores other fields', () => {
    const stream = 'event:next\ndata:{"a":\ndata:  1}\nretry: 5\nunknown\ndata\n\n';
    assert.deepEqual(parse([bytes(stream)]), [{ name: 'next', data: '{"a":\n 1}\n' }]);
  });

  it('ignores a byte order mark, and an event that has not ended', () => {
    assert.deepEqual(parse([bytes('\uFEFFevent: next\ndata: 1\n\nevent: next\ndata: 2')]), [{ name: 'next', data: '1' }]);
  });
});
