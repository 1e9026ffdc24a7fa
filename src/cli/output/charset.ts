/**
 * Whether the terminal shows UTF-8, according to the user's locale (POSIX.1-2017, Base Definitions §8.2). True for a locale
 * without a character set, and without a locale.
 */
export function showsUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || ''
  return locale === '' || /utf-?8/i.test(locale)
}

/** The text in ASCII with the same width. An ellipsis becomes `~`, any other character `?`, as in ls(1). */
export function asciiText(text: string): string {
  return text.replaceAll('…', '~').replaceAll(/[^\0-\x7f]/gu, '?')
}
