/** Pairs of names that are equal in a common encoding, or in a loose comparison. */

/** The variants of a word that encodings and comparisons merge with it. */
const STEMS = ['ukasz', 'e', '-1', 'x@example.com']

/** Letters beyond Latin-1, and the letter of their lowest byte there. */
const CUT_TO_A_BYTE = [0x141, 0x142, 0x150, 0x151, 0x160, 0x161, 0x170, 0x171, 0x430, 0x431, 0x3b1, 0x3b2].map(
  (code) => [String.fromCodePoint(code), String.fromCodePoint(code & 0xff)] as const,
)
const LOOKALIKES: readonly (readonly [string, string])[] = [
  ['é', 'e\u0301'],
  ['é', 'e'],
  ['Å', 'A\u030a'],
  ['Å', '\u212b'],
  ['ß', 'ss'],
  ['ä', 'a'],
  ['ø', 'o'],
  ['ﬁ', 'fi'],
  ['A', 'a'],
  ['Σ', 'ς'],
  ['İ', 'i'],
  ['ı', 'i'],
  ['K', '\u212a'],
  // Windows-1252, Latin-9 and Latin-1 disagree on these.
  ['€', '\u0080'],
  ['€', '¤'],
  ['\u2019', '\u0092'],
  ['Š', '\u008a'],
  ['Š', '¦'],
  // A letter that an encoding lacks becomes a question mark, or is removed.
  ['Ł', '?'],
  ['日', '?'],
  ['日', '本'],
  ['😀', '?'],
  ['😀', '????'],
  ['😀', '😁'],
  ['😀', ''],
  // Encoded twice.
  ['ë', 'Ã«'],
  ['Ł', 'Å\u0081'],
  // Invisible characters.
  [' ', '\u00a0'],
  [' ', '\u3000'],
  ['', '\u200b'],
  ['', '\u200d'],
  ['', '\ufeff'],
  ['', '\u00ad'],
  ['\\', '\\\\'],
  ["'", "''"],
  ['"', "'"],
  ['%', '_'],
]
const AT_THE_END: readonly (readonly [string, string])[] = [
  ['trailing', 'trailing '],
  ['trailing', 'trailing\t'],
  ['trailing', 'trailing\u00a0'],
  ['trailing', 'trailing\u200b'],
]

/** More than 200 pairs. The names of a pair differ; no name is in two pairs. */
export const MERGED_NAMES: readonly (readonly [string, string])[] = [
  ...[...CUT_TO_A_BYTE, ...LOOKALIKES].flatMap(([one, other], at) =>
    STEMS.map((stem) => [`${at}:${one}${stem}`, `${at}:${other}${stem}`] as const),
  ),
  ...AT_THE_END.map(([one, other], at) => [`${at}${one}`, `${at}${other}`] as const),
]
