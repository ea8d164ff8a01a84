// Names and texts as people see them.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fitName, isVisible, normalizeName } from '../../src/chat/text.ts';

/** Text of any characters, in which the difficult ones are frequent. */
const difficult = [
  'a',
  ' ',
  '\t',
  '\u0301',
  '\u200b',
  '\u200c',
  '\u200d',
  '\u202e',
  '\u2066',
  '\ufe0f',
  '\ufe0e',
  '\u{e0067}',
  '\u{e007f}',
  '\u{e0100}',
]
  .concat([
    '1',
    '\u20e3',
    '👩',
    '🏴',
    '🏽',
    '❤',
    '🇫',
    '葛',
    'م',
    '\u064b',
    'क',
    '\u094d',
    'ᠠ',
    '\u180b',
    '\u3164',
    '\u1160',
    '\u2800',
    '\ufdfa',
    'ﬁ',
  ])
  .concat(['\u034f', '\u00ad', '\ufeff', '\ufff9', '\u0085', '\ufdd0', '\0', 'Å', '①', '™']);
const anyText = fc.string({
  unit: fc.oneof(fc.constantFrom(...difficult), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })),
  maxLength: 40,
});

const check = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => void) =>
  // fast-check prints the seed of a failure.
  fc.assert(fc.property(arbitrary, property), { numRuns: 2000 });

describe('a normalised name', () => {
  it('is the same if it is normalised again', () =>
    check(anyText, (text) => assert.equal(normalizeName(normalizeName(text)), normalizeName(text))));

  it('is NFKC, on one line, and neither begins nor ends with white space', () =>
    check(anyText, (text) => {
      const name = normalizeName(text);
      assert.equal(name, name.normalize('NFKC'));
      assert.equal(name, name.trim());
      assert.doesNotMatch(name, /[\t\n\v\f\r\u0085\u2028\u2029]| {2}/u);
    }));

  it('has no control, bidi or noncharacters, and no joiner or variation selector that is alone', () =>
    check(anyText, (text) => {
      const name = normalizeName(text);
      assert.doesNotMatch(
        name,
        /[\p{Cc}\p{Bidi_Control}\p{Noncharacter_Code_Point}\u200b\u2060\ufeff\u3164\u115f\u1160\uffa0\u00ad]|\u034f/u,
      );
      assert.doesNotMatch(name, /(?:^|[a-z ]|\u200c|\u200d)(?:\u200c|\u200d|\p{Variation_Selector})/u);
    }));

  it('shows every character that is visible', () =>
    check(anyText, (text) => {
      const shown = (name: string) =>
        name
          .normalize('NFKD')
          .replace(/[\s\p{M}\p{Default_Ignorable_Code_Point}\u2800\ufffc\p{Cc}\p{Cf}\p{Noncharacter_Code_Point}]/gu, '');
      assert.equal(shown(normalizeName(text)), shown(text.normalize('NFKC')));
    }));

  const same = {
    'an emoji of several': '👩‍👩‍👧',
    'an emoji without its variation selector': '🏳‍🌈',
    'an emoji with a skin tone and a profession': '🧑🏽‍🚀',
    'a flag of tags': '🏴󠁧󠁢󠁥󠁮󠁧󠁿',
    'a keycap': '1️⃣',
    'a heart on fire': '❤️‍🔥',
    'a Japanese place with a variant of a character': '葛󠄀城',
    'Persian with a non-joiner': 'می‌خواهم',
    'Hindi with a joiner': 'क्‍ष',
    'Malayalam that ends with a joiner': 'ന്‍',
    Hebrew: 'שָׁלוֹם',
    Korean: '홍길동',
    'Korean that is written as single letters': 'ㅎㅅ'.normalize('NFKC'),
    'Arabic with vowel marks': 'مُحَمَّد'.normalize('NFKC'),
    'Bengali with a joiner': 'র‍্য',
    Thai: 'นก',
    Vietnamese: 'Nguyễn',
    'a flag of two letters': '🇰🇷',
    'a symbol shown as text': '❤︎',
    'several marks on one letter': 'q̣̇',
    'a character that no version of Unicode knows yet': 'a\u0378',
    'an apostrophe and a hyphen': "Anne-Marie O'Neil",
  };
  for (const [what, name] of Object.entries(same)) {
    it(`keeps ${what}`, () => assert.equal(normalizeName(name), name));
  }

  const changed: [what: string, text: string, name: string][] = [
    ['full-width letters', 'Ａｄａ', 'Ada'],
    ['a ligature', 'ﬁona', 'fiona'],
    ['a decomposed accent', 'Ame\u0301lie', 'Amélie'],
    ['an accent that an invisible character separates', 'Ame\u034f\u0301lie', 'Amélie'],
    ['zero-width characters', '\u200bA\u200dd\u2060a\ufeff', 'Ada'],
    ['a soft hyphen', 'A\u00adda', 'Ada'],
    ['an override of the direction', '\u202eadA', 'adA'],
    ['isolates', '\u2066Ada\u2069', 'Ada'],
    ['tags without a flag', 'Ada\u{e0041}\u{e007f}', 'Ada'],
    ['Hangul fillers', '\u3164Ada\u115f\u1160\uffa0', 'Ada'],
    ['Braille blanks', '\u2800Ada\u2800', 'Ada'],
    ['line ends and runs of spaces', ' Ada\r\n \t Lovelace\u2028', 'Ada Lovelace'],
    ['escape sequences', '\u001b[31mAda', '[31mAda'],
    ['a variation selector after a letter', 'A\ufe0fda', 'Ada'],
    ['a second joiner', '👩\u200d\u200d👧', '👩👧'],
    ['decomposed Korean', '\u1112\u1169\u11bc', '홍'],
    ['tags that make no known flag', '🏴\u{e0075}\u{e0073}\u{e007a}\u{e007a}\u{e007f}', '🏴'],
    ['a mark of direction in Arabic', '\u061cمحمد\u200f', 'محمد'],
    ['a joiner between letters that do not join', 'A\u200cd\u200da', 'Ada'],
    ['a second variation selector', '❤\ufe0f\ufe0e', '❤\ufe0f'],
  ];
  for (const [what, text, name] of changed) {
    it(`changes ${what}`, () => assert.equal(normalizeName(text), name));
  }
});

describe('a text', () => {
  const empty = [
    '',
    ' \t\r\n',
    '\u00a0\u3000\u2003',
    '\u200b\u200c\u200d',
    '\u202e\u2066',
    '\u3164',
    '\u115f\u1160\uffa0',
    '\u2800',
    '\u{e0041}\u{e007f}',
  ].concat(['\u0301', '\u20e3', '\ufe0f', '\ufffc', '\u00ad', '\u180e', '\u0000\u001b', '\u{1d159}', '\u061c', '\u17b4', '\ufdd0']);
  for (const text of empty) it(`that is ${JSON.stringify(text)} is not visible`, () => assert.equal(isVisible(text), false));

  const shown = ['a', '.', '👩‍👩‍👧', '1️⃣', '🇫🇷', '홍', 'ㅋㅋ', '\u202e\u0301𝒳', '\u200b-', '\u093e', '$', '\u{10ffff}a', '\uf8ff'];
  for (const text of shown) it(`that is ${JSON.stringify(text)} is visible`, () => assert.equal(isVisible(text), true));
});

describe('a name that cannot be refused', () => {
  it('is cut, and is visible or undefined', () =>
    check(fc.tuple(anyText, fc.integer({ min: 1, max: 10 })), ([text, max]) => {
      const name = fitName(text, max);
      if (name === undefined) return;
      assert.ok([...name].length <= max);
      assert.ok(isVisible(name) && name.isWellFormed());
      assert.equal(normalizeName(name), name);
    }));

  it('is cut in time that is bounded, however long it is', () => {
    const startedAt = performance.now();
    assert.equal(fitName('\u200d'.repeat(1_000_000), 80), undefined);
    assert.equal(fitName('👩\u200d'.repeat(1_000_000), 80)?.length, 119);
    assert.ok(performance.now() - startedAt < 1000);
  });
});
