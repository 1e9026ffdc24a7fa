/** RFC 9113 §6: the frames as they are on the wire, written down once more, apart from the code under test. */
export const TYPE = Object.freeze({
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
})
export const FLAG = Object.freeze({ END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 })
export const CODE = Object.freeze({
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
})
export const SETTING = Object.freeze({ HEADER_TABLE_SIZE: 1, INITIAL_WINDOW_SIZE: 4, MAX_FRAME_SIZE: 5 })
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const HEADER_BYTES = 9

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes.writeUInt8(type, 3)
  bytes.writeUInt8(flags, 4)
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

/** The frames that are complete, and what is left. */
export function framesIn(bytes: Buffer): { readonly frames: readonly Frame[]; readonly rest: Buffer } {
  const frames: Frame[] = []
  let at = 0
  while (bytes.length - at >= HEADER_BYTES) {
    const end = at + HEADER_BYTES + bytes.readUIntBE(at, 3)
    if (end > bytes.length) break
    const [type, flags] = [bytes.readUInt8(at + 3), bytes.readUInt8(at + 4)]
    frames.push({ type, flags, stream: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + HEADER_BYTES, end) })
    at = end
  }
  return { frames, rest: bytes.subarray(at) }
}

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, 4 * at)
  return bytes
}

export function settings(...pairs: readonly (readonly [identifier: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length)
  for (const [at, [identifier, value]] of pairs.entries()) {
    payload.writeUInt16BE(identifier, 6 * at)
    payload.writeUInt32BE(value, 6 * at + 2)
  }
  return frame(TYPE.SETTINGS, 0, 0, payload)
}

export const SETTINGS_ACK = frame(TYPE.SETTINGS, FLAG.ACK, 0)

export function windowUpdate(stream: number, increment: number): Buffer {
  return frame(TYPE.WINDOW_UPDATE, 0, stream, uint32(increment))
}

export function rstStream(stream: number, code: number): Buffer {
  return frame(TYPE.RST_STREAM, 0, stream, uint32(code))
}

export function data(stream: number, content: Uint8Array | string, endStream = false): Buffer {
  return frame(TYPE.DATA, endStream ? FLAG.END_STREAM : 0, stream, Buffer.from(content))
}

/** RFC 7541 §6.2.2: each field a literal, neither compressed nor kept in a table. */
export function literals(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value, 'latin1')
    return Buffer.concat([integer(bytes.length), bytes])
  }
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]))
}

/** RFC 7541 §5.1, in seven bits. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.of(value)
  const bytes = [127]
  let rest = value - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.of(...bytes, rest)
}

export type Fields = readonly (readonly [name: string, value: string])[]

/** The fields of a request, to which others may be added. */
export function request(path: string, more: Fields = []): Fields {
  return [[':method', 'POST'], [':scheme', 'http'], [':path', path], [':authority', 'localhost'], ...more]
}

export function headers(stream: number, fields: Fields, endStream = false): Buffer {
  const flags = FLAG.END_HEADERS | (endStream ? FLAG.END_STREAM : 0)
  return frame(TYPE.HEADERS, flags, stream, literals(fields))
}
