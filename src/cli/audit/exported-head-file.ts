import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { messageOf } from '../../message-of.ts'
import { UsageError } from '../usage-error.ts'

/** The lines of a file, or of standard input for `-`. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  const input = path === '-' ? process.stdin : createReadStream(path)
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}`)
  }
}

/** The head in a file of `audit head`, with `--json` or without, or in the last line of an export. */
export async function readExportedHead(path: string): Promise<string> {
  let last = ''
  for await (const line of linesOf(path)) {
    // A document over several lines is put together; of lines that are documents the last one counts.
    const goesOn = last.startsWith('{') && !last.endsWith('}')
    if (line !== '') last = goesOn ? last + line : line
  }
  try {
    const document: unknown = JSON.parse(last)
    if (typeof document === 'object' && document !== null && 'head' in document) {
      return typeof document.head === 'string' ? document.head : JSON.stringify(document.head)
    }
  } catch {
    throw new UsageError(`${path} holds no exported head`)
  }
  return last
}
