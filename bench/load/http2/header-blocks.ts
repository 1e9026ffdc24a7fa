/** RFC 7541: the request headers, encoded once, and the status field of an answer. */

const METHOD_POST = 0x83
const SCHEME_HTTP = 0x86
/** Literals that are added to the dynamic table, with a name of the static table and with a new one. */
const PATH = 0x44
const AUTHORITY = 0x41
const CONTENT_TYPE = 0x5f
const NEW_NAME = 0x40
/** The four literals by their index in the dynamic table, the latest first. */
const KNOWN = Object.freeze([0x83, 0x86, 0xc1, 0xc0, 0xbf, 0xbe])

export interface RequestHeaders {
  /** For the first request of a connection. It fills the dynamic table. */
  readonly first: Buffer
  /** For all later requests: six bytes, the same as a stock client. */
  readonly later: Buffer
}

export function requestHeaders(path: string, authority: string): RequestHeaders {
  const first = Buffer.concat([
    Buffer.from([METHOD_POST, SCHEME_HTTP, PATH]),
    text(path),
    Buffer.from([AUTHORITY]),
    text(authority),
    Buffer.from([NEW_NAME]),
    text('te'),
    text('trailers'),
    Buffer.from([CONTENT_TYPE]),
    text('application/grpc'),
  ])
  return { first, later: Buffer.from(KNOWN) }
}

/** RFC 7541 §5.2, without Huffman coding. */
function text(value: string): Buffer {
  if (value.length > 126) throw new RangeError('a longer text needs more than one byte for its length')
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')])
}

/** The length and the Huffman code of the name `grpc-status` (RFC 7541, Appendix B). */
const STATUS_NAME = Buffer.from([0x88, 0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f])
const DIGIT_ZERO = 0x30

/**
 * The gRPC status in a header block. `null`: none. The name is a literal because there is no dynamic table. The one or two
 * digits are plain because no Huffman code is shorter.
 */
export function grpcStatusIn(block: Buffer): number | null {
  const at = block.indexOf(STATUS_NAME)
  if (at < 0) return null
  const digits = at + STATUS_NAME.length
  const length = block.readUInt8(digits)
  let status = 0
  for (let i = 1; i <= length; i += 1) status = status * 10 + block.readUInt8(digits + i) - DIGIT_ZERO
  return status
}
