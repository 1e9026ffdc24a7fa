/** Pairs of names that a common encoding, or a loose comparison, takes for one. */

/** What a word is when it passes through the encodings and comparisons that merge. */
const STEMS = ['ukasz', 'e', '-1', 'x@example.com']

/** Letters beyond Latin-1, and what their lowest byte means there. */
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
  // What an encoding lacks becomes a question mark, or nothing.
  ['Ł', '?'],
  ['日', '?'],
  ['日', '本'],
  ['😀', '?'],
  ['😀', '????'],
  ['😀', '😁'],
  ['😀', ''],
  // Once more encoded.
  ['ë', 'Ã«'],
  ['Ł', 'Å\u0081'],
  // Nothing to be seen.
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

/** More than two hundred. The two of each pair differ; no name stands in two pairs. */
export const MERGED_NAMES: readonly (readonly [string, string])[] = [
  ...[...CUT_TO_A_BYTE, ...LOOKALIKES].flatMap(([one, other], at) =>
    STEMS.map((stem) => [`${at}:${one}${stem}`, `${at}:${other}${stem}`] as const),
  ),
  ...AT_THE_END.map(([one, other], at) => [`${at}${one}`, `${at}${other}`] as const),
]
