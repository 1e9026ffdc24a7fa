/** RFC 9113 §4.1, §6: the framing that a client for gRPC calls needs. */

export const FRAME_HEADER_BYTES = 9
/** RFC 9113 §4.2: the size that every server accepts. */
export const MAX_FRAME_BYTES = 16_384

export const FRAME = Object.freeze({
  DATA: 0x0,
  HEADERS: 0x1,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
})

export const FLAG = Object.freeze({ END_STREAM: 0x1, ACK: 0x1, END_HEADERS: 0x4 })

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
const HEADER_TABLE_SIZE = 0x1
const INITIAL_WINDOW_SIZE = 0x4
const LARGEST_WINDOW = 2 ** 31 - 1
/** RFC 9113 §6.9.2. */
export const DEFAULT_WINDOW = 65_535

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes.writeUInt8(type, 3)
  bytes.writeUInt8(flags, 4)
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, FRAME_HEADER_BYTES)
  return bytes
}

export function windowUpdate(increment: number): Buffer {
  const payload = Buffer.allocUnsafe(4)
  payload.writeUInt32BE(increment)
  return frame(FRAME.WINDOW_UPDATE, 0, 0, payload)
}

/**
 * The start of a connection. Without a dynamic table for answers, each header block can be parsed on its own. The windows
 * never delay an answer.
 */
export function opening(): Buffer {
  const settings = Buffer.alloc(12)
  settings.writeUInt16BE(HEADER_TABLE_SIZE, 0)
  settings.writeUInt32BE(0, 2)
  settings.writeUInt16BE(INITIAL_WINDOW_SIZE, 6)
  settings.writeUInt32BE(LARGEST_WINDOW, 8)
  const window = windowUpdate(LARGEST_WINDOW - DEFAULT_WINDOW)
  return Buffer.concat([PREFACE, frame(FRAME.SETTINGS, 0, 0, settings), window])
}

/** A unary gRPC request as one DATA frame (gRPC over HTTP/2: a compression byte, then the length). */
export function grpcData(message: Uint8Array): Buffer {
  const payload = Buffer.allocUnsafe(5 + message.length)
  if (payload.length > MAX_FRAME_BYTES) throw new RangeError(`a request of ${message.length} bytes takes two frames`)
  payload.writeUInt8(0, 0)
  payload.writeUInt32BE(message.length, 1)
  payload.set(message, 5)
  return frame(FRAME.DATA, FLAG.END_STREAM, 0, payload)
}

/** The offset of the message in the result of `grpcData`. */
export const MESSAGE_AT = FRAME_HEADER_BYTES + 5
