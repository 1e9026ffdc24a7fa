import type { HeaderList } from '../application.ts'
import { HeaderField } from '../hpack/header-field.ts'

const BINARY = '-bin'
/** "gRPC over HTTP2", Header-Name. */
const NAME = /^[0-9a-z_.-]+$/
/** Printable ASCII. Spaces at either end would be lost. */
const VALUE = /^(?! )[ -~]*(?<! )$/
/** Names that HTTP and gRPC use themselves. */
const RESERVED: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'te',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'host',
  'user-agent',
])

/** Whether a name belongs to gRPC or HTTP, and not to an application's metadata. */
function isReserved(name: string): boolean {
  return name.startsWith('grpc-') || RESERVED.has(name)
}

/** Outgoing metadata: names and values in order. A name may occur several times. */
export class Metadata {
  readonly #fields: HeaderField[] = []

  /** @throws Error for a reserved name, or a name or value that a header field cannot hold. */
  add(name: string, value: string | Uint8Array): this {
    if (!NAME.test(name) || (isReserved(name) && name !== 'grpc-status-details-bin')) {
      throw new Error(`"${name}" cannot be the name of metadata`)
    }
    const text = typeof value === 'string' ? value : base64(value)
    if (name.endsWith(BINARY) === (typeof value === 'string')) {
      throw new Error(`metadata "${name}": bytes go with names that end in ${BINARY}, text with others`)
    }
    if (!VALUE.test(text)) throw new Error(`metadata "${name}" has a value that no header field holds`)
    this.#fields.push(new HeaderField(name, text))
    return this
  }

  fields(): readonly HeaderField[] {
    return this.#fields
  }
}

/**
 * The values of binary metadata, whose name ends in `-bin`. A field may hold several values, separated by commas. Padding may
 * be missing.
 */
export function binaryValues(headers: HeaderList, name: string): readonly Buffer[] {
  return headers.getAll(name).flatMap((field) => field.split(',').map((text) => Buffer.from(text.trim(), 'base64')))
}

/** Encodes without padding: "implementations MUST accept padded and un-padded values and should emit un-padded values". */
function base64(bytes: Uint8Array): string {
  const padded = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
  // Each character encodes six bits. The rest of the last four characters is padding.
  return padded.slice(0, Math.ceil((bytes.byteLength * 4) / 3))
}
