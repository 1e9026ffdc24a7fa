import { encodeBlock } from '../hpack/encoder.ts'
import { HeaderField } from '../hpack/header-field.ts'
import { GZIP, IDENTITY } from './compression.ts'
import type { Metadata } from './metadata.ts'
import { percentEncoded } from './percent-encoding.ts'
import type { CallStatus } from './status.ts'

/** The format of answers. */
export interface AnswerFormat {
  /** The content type of answers, such as `application/grpc+proto`. */
  readonly contentType: string
}

/**
 * Encodes the header blocks of answers. They do not refer to the dynamic table, so a block can be encoded once and sent on
 * every connection.
 */
export class HeaderBlocks {
  readonly #head: readonly HeaderField[]

  constructor({ contentType }: AnswerFormat) {
    this.#head = [
      new HeaderField(':status', '200'),
      new HeaderField('content-type', contentType),
      new HeaderField('grpc-accept-encoding', `${IDENTITY},${GZIP}`),
    ]
  }

  /** The headers before the first message. `encoding`: the encoding of messages that are marked as compressed. */
  headers(metadata?: Metadata, encoding: typeof IDENTITY | typeof GZIP = IDENTITY): Uint8Array {
    const encoded = encoding === IDENTITY ? [] : [new HeaderField('grpc-encoding', encoding)]
    return encodeBlock([...this.#head, ...encoded, ...(metadata?.fields() ?? [])])
  }

  /** The trailers after the last message. */
  trailers(status: CallStatus): Uint8Array {
    return encodeBlock(statusFields(status))
  }

  /** The headers of an answer without messages ("Trailers-Only"). */
  trailersOnly(status: CallStatus): Uint8Array {
    return encodeBlock([...this.#head, ...statusFields(status)])
  }
}

function statusFields({ code, message, metadata }: CallStatus): readonly HeaderField[] {
  const text = message === '' ? [] : [new HeaderField('grpc-message', percentEncoded(message))]
  return [new HeaderField('grpc-status', String(code)), ...text, ...(metadata?.fields() ?? [])]
}
