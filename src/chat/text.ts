// Names and texts as people see them. A name has one form however it was typed, and no character that cannot be seen, so that
// two names that look the same are the same. Character classes come from Unicode properties, never from tables of our own.

/**
 * Removed from names: control characters, whatever renders as nothing (zero-width, Hangul fillers, tags, variation selectors),
 * characters that reverse the direction of the text after them, and the marks of annotations.
 */
const invisible = String.raw`[\p{Cc}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Noncharacter_Code_Point}\uFFF9-\uFFFB]`;

/** Scripts whose spelling needs ZERO WIDTH JOINER and NON-JOINER: those that join letters, and those that stack consonants. */
const joining = [
  'Arab',
  'Syrc',
  'Nkoo',
  'Mong',
  'Mand',
  'Rohg',
  'Deva',
  'Beng',
  'Guru',
  'Gujr',
  'Orya',
  'Taml',
  'Telu',
  'Knda',
  'Mlym',
  'Sinh',
]
  .concat(['Khmr', 'Mymr', 'Tibt', 'Bali', 'Java', 'Cham', 'Sund'])
  .map((script) => String.raw`\p{Script_Extensions=${script}}`)
  .join('');
const letter = String.raw`[[${joining}]&&[\p{L}\p{M}]]`;
const mark = String.raw`[[${joining}]&&\p{M}]`;

/** Invisible characters that change what is shown next to them. They are kept where they do, and only there. */
const meaningful = [
  // An emoji as Unicode recommends it: families, flags, skin tones, keycaps.
  String.raw`\p{RGI_Emoji}`,
  // An emoji that a font may compose or show as text.
  String.raw`(?<=\p{Extended_Pictographic}\p{Emoji_Modifier}?)[\uFE0E\uFE0F](?!\p{Variation_Selector})`,
  String.raw`(?<=\p{Extended_Pictographic}[\p{Emoji_Modifier}\uFE0F]?)\u200D(?=\p{Extended_Pictographic})`,
  // The form of a character, as in Japanese and Mongolian names.
  String.raw`(?<=\p{Unified_Ideograph})[\uFE00-\uFE02\u{E0100}-\u{E01EF}]`,
  String.raw`(?<=[\p{Script=Mong}&&\p{L}])[\u180B-\u180D\u180F]`,
  // Joiners within a word. After a mark, ZERO WIDTH JOINER also ends a word, as in Malayalam.
  String.raw`(?<=${letter})[\u200C\u200D](?=${letter})`,
  String.raw`(?<=${mark})\u200D`,
].join('|');

const stripped = new RegExp(`(${meaningful})|${invisible}`, 'gv');
/** Characters that take up space and show nothing, although they are no white space. */
const blanks = String.raw`\u2800\uFFFC\u{1D159}\u{13441}\u{13442}`;
const whiteSpace = new RegExp(String.raw`[\s\u0085${blanks}]+`, 'gv');
/** Combining marks alone show nothing, except those that have a width of their own. */
const visible = new RegExp(
  String.raw`[[\p{L}\p{N}\p{P}\p{S}\p{Mc}\p{Co}\p{Cn}]--[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}${blanks}]]`,
  'v',
);

/** Whether a reader sees anything of the text. */
export const isVisible = (text: string): boolean => visible.test(text);

/**
 * The form of a name that is stored: NFKC, on one line, without characters that cannot be seen. Normalising it again changes
 * nothing. It may be empty.
 */
export function normalizeName(name: string): string {
  let normal = name;
  for (let before: string | undefined; normal !== before; ) {
    before = normal;
    normal = normalizeOnce(normal);
  }
  return normal;
}

// White space first: tabs and line ends are control characters too. Removing a character can bring two together that compose.
const normalizeOnce = (name: string): string =>
  name
    .normalize('NFKC')
    .replace(whiteSpace, ' ')
    .replace(stripped, (_match, kept: string | undefined) => kept ?? '')
    .trim()
    .normalize('NFKC');

/**
 * The longest name that is normalised, as a multiple of the longest that is stored, in UTF-16 units. The excess may be invisible
 * characters. Without a bound, a name as long as a request would take seconds.
 */
export const maxNameExcess = 10;

/** The name in at most `max` code points. Undefined if nothing of it is visible. For names that cannot be refused. */
export function fitName(name: string, max: number): string | undefined {
  const bounded = name.slice(0, max * maxNameExcess).toWellFormed();
  const normal = normalizeName([...normalizeName(bounded)].slice(0, max).join(''));
  return isVisible(normal) ? normal : undefined;
}
