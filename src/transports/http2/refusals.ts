import { encodeBlock } from './hpack/encoder.ts'
import { HeaderField } from './hpack/header-field.ts'

/** A refusal by an HTTP status, with a sentence for people. */
export interface Refusal {
  readonly headers: Uint8Array
  readonly content: readonly Uint8Array[]
}

/** RFC 6585 §5. */
export const HEADER_LIST_TOO_LONG = refusal(431, 'The header list is too long.')
/** RFC 9110 §15.6.2: tunnels are not supported. */
export const NOT_IMPLEMENTED = refusal(501, 'CONNECT is not supported.')

/** Encodes a refusal. `fields` are additional header fields. */
export function refusal(status: number, sentence: string, ...fields: readonly HeaderField[]): Refusal {
  const content = Buffer.from(`${sentence}\n`)
  const headers = encodeBlock([
    new HeaderField(':status', String(status)),
    new HeaderField('content-type', 'text/plain'),
    new HeaderField('content-length', String(content.length)),
    ...fields,
  ])
  return Object.freeze({ headers, content: [content] })
}
