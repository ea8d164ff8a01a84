// The cache of parsed operations: those that clients repeat are parsed once, and it has a bound in bytes.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesOf, maxCachedBytes, parseDocument, validateDocument } from '../../src/transport/documents.ts';
import { range } from '../support/storage.ts';

/** The documents of these texts that are cached once all have been validated. */
function cachedOf(texts: readonly string[]) {
  const documents = texts.map((text) => {
    const document = parseDocument(text);
    assert.deepEqual(validateDocument(document), []);
    return document;
  });
  return documents.filter((document, i) => parseDocument(texts[i] as string) === document);
}

describe('the documents that are cached', () => {
  it('are all of 300 ordinary operations', () => {
    const selection = 'viewer { id user { id name avatarUrl createdAt } } '.repeat(5);
    const texts = range(1, 300).map((i) => `query Ordinary${i} { ${selection} }`);
    assert.equal(cachedOf(texts).length, texts.length);
  });

  for (const [what, text] of Object.entries({
    'as many tokens as one may have': (i: number) =>
      `mutation Long${i}($ids: [ID!] = [${'"x" '.repeat(1900)}]) { createRoom(input: { name: "x", memberIds: $ids }) { room { id } } }`,
    'a long text': (i: number) => `query Text${i} { node(id: "${'x'.repeat(120_000)}") { id } }`,
  })) {
    it(`take at most ${maxCachedBytes / 2 ** 20} MiB if each has ${what}`, () => {
      const cached = cachedOf(range(1, 300).map(text));
      assert.ok(cached.length > 10, `${cached.length} documents`);
      const bytes = cached.reduce((sum, document) => sum + bytesOf(document), 0);
      assert.ok(bytes <= maxCachedBytes, `${bytes} bytes`);
    });
  }
});
