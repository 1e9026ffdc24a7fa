import { Code, ConnectError } from '@connectrpc/connect'
import { linesIn } from '../../text.ts'

/** Of a file without a line: no head, which the server refuses. */
const NO_HEAD = 'null'
const UNREADABLE = 'The file cannot be read. Choose it again.'

/**
 * The head of the log in a file of this page, of `qscope audit head`, or in the last line of `qscope audit export`. The
 * server says whether it is one.
 * @throws ConnectError if the browser cannot read the file, for example because it was written since it was chosen.
 */
export async function headIn(file: Blob): Promise<string> {
  const text = await file.text().catch((cause: unknown) => {
    throw new ConnectError(UNREADABLE, Code.FailedPrecondition, undefined, undefined, cause)
  })
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
