const nested = (depth: number) => Buffer.from(`${'['.repeat(depth)}${']'.repeat(depth)}`).toString('base64url')

/** Texts that were never issued as tokens but may be presented. */
export const IMPOSSIBLE_TOKENS: readonly string[] = [
  'x'.repeat(9_000),
  'x'.repeat(100_000),
  'a\0b',
  '\0',
  ' ',
  'ä',
  '\u{1f600}',
  'qat_',
  `qat_${'0'.repeat(49)}`,
  `qat_${'\0'.repeat(49)}`,
  'a.b.c',
  `${nested(180)}.${nested(3_000)}.AAAA`,
  `${Buffer.from('{"alg":"ES256","typ":"at+jwt","kid":"a\\u0000b"}').toString('base64url')}.e30.AAAA`,
]
