import { linesIn } from '../../text.ts'

/** Of a file without a line: no head, which the server refuses. */
const NO_HEAD = 'null'

/**
 * The head of the log in a file of this page, of `qscope audit head`, or in the last line of `qscope audit export`. The
 * server says whether it is one.
 */
export function headIn(text: string): string {
  const last = linesIn(text).at(-1) ?? NO_HEAD
  // With `--json` a head is part of a document that may span several lines.
  const head = headOfDocument(text) ?? headOfDocument(last)
  if (head === null) return last
  return typeof head === 'string' ? head : JSON.stringify(head)
}

function headOfDocument(text: string): unknown {
  try {
    const document: unknown = JSON.parse(text)
    if (typeof document === 'object' && document !== null && 'head' in document) return document.head
  } catch {
    // No document, so no part of one.
  }
  return null
}
