/**
 * The width of a text in terminal columns. The text must not contain control characters. Source: Unicode Standard Annex #11,
 * East Asian Width, as far as terminals agree on it.
 */
const ASCII = /^[ -~]*$/
const TWO_COLUMNS =
  /^(?:\p{Emoji_Presentation}|[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6])/u
const NO_COLUMN = /^\p{Mark}+$/u
const ELLIPSIS = '…'

export function displayWidth(text: string): number {
  return ASCII.test(text) ? text.length : graphemesOf(text).reduce((sum, grapheme) => sum + widthOf(grapheme), 0)
}

/** The text cut to a width. A cut text ends in an ellipsis. */
export function cutTo(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let cut = ''
  let used = displayWidth(ELLIPSIS)
  for (const grapheme of graphemesOf(text)) {
    used += widthOf(grapheme)
    if (used > width) break
    cut += grapheme
  }
  return cut.trimEnd() + ELLIPSIS
}

/**
 * Wraps a text at word boundaries. `null`: one line. A word that is too long gets a line of its own, so that people can copy
 * it, unless words may be broken.
 */
export function wrapTo(
  text: string,
  width: number | null,
  { breaksWords = false }: { readonly breaksWords?: boolean } = {},
): readonly string[] {
  if (width === null || displayWidth(text) <= width) return [text]
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').flatMap((word) => (breaksWords ? piecesOf(word, width) : [word]))) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && displayWidth(longer) > width) {
      lines.push(line)
      line = word
    } else {
      line = longer
    }
  }
  return [...lines, line]
}

/** A line, continued below its beginning at an indent where it is longer than a width; `null`: one line. */
export function hangingLines(text: string, width: number | null, indent: string): string {
  return wrapTo(text, width === null ? null : width - indent.length).join(`\n${indent}`)
}

function piecesOf(word: string, width: number): readonly string[] {
  const pieces = ['']
  for (const grapheme of graphemesOf(word)) {
    const last = pieces.at(-1) ?? ''
    if (displayWidth(last + grapheme) > width) pieces.push(grapheme)
    else pieces[pieces.length - 1] = last + grapheme
  }
  return pieces
}

function graphemesOf(text: string): readonly string[] {
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment)
}

function widthOf(grapheme: string): number {
  return NO_COLUMN.test(grapheme) ? 0 : TWO_COLUMNS.test(grapheme) ? 2 : 1
}
