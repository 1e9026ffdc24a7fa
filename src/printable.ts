/**
 * What must reach a terminal as an escape only: control characters (C0, C1),
 * format characters such as those that turn the direction of text, characters that
 * are invisible (Unicode: Default_Ignorable_Code_Point), line and paragraph
 * separators, and halves of surrogate pairs.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Cs}]/gu
const UNPRINTABLE_IN_LINES = /[^\P{Cc}\n]|[\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Cs}]/gu

/**
 * A text that others chose, as one line for a terminal: it can neither steer the
 * terminal nor look like something else. What is not printable is written `\uXXXX`.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped)
}

/** The same for lines that are already separated. JSON stays the same data, for it knows these escapes. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE_IN_LINES, escaped)
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, index) => unit(character.charCodeAt(index))).join('')
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`
}
