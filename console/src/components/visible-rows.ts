/** The height of a row in pixels, which the style sheet gives it too. */
export const ROW = 44
/** Rows on either side of those that are seen, so that a quick scroll finds them there. */
const OVERSCAN = 8

/** The rows that are to be in the document: from the first, up to but without the second. */
export function visibleRows(scrollTop: number, height: number, count: number): readonly [from: number, to: number] {
  const from = Math.max(0, Math.floor(scrollTop / ROW) - OVERSCAN)
  return [Math.min(from, count), Math.min(count, Math.ceil((scrollTop + height) / ROW) + OVERSCAN)]
}
