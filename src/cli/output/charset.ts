/**
 * Whether the terminal shows UTF-8, as far as the locale of its user says so (POSIX.1-2017, Base Definitions §8.2). A locale
 * that names no character set, or none at all, says nothing against it.
 */
export function showsUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || ''
  return locale === '' || /utf-?8/i.test(locale)
}

/** The text in ASCII, column by column: what was cut ends in `~`, and another character is `?`, as ls(1) shows it. */
export function asciiText(text: string): string {
  return text.replaceAll('…', '~').replaceAll(/[^\0-\x7f]/gu, '?')
}
