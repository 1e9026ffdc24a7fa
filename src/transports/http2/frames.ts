/** RFC 9113 §4.1: length (24 bits), type, flags, stream (31 bits). */
export const FRAME_HEADER_BYTES = 9

/** RFC 9113 §6. */
export const FrameType = Object.freeze({
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
})

export const Flag = Object.freeze({
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
})

/** The payload lengths of frames of a fixed length (RFC 9113 §6.3, §6.4, §6.7, §6.9), and of the fixed part of GOAWAY (§6.8). */
export const PRIORITY_BYTES = 5
export const RST_STREAM_BYTES = 4
export const PING_BYTES = 8
export const GOAWAY_BYTES = 8
export const WINDOW_UPDATE_BYTES = 4
/** RFC 9113 §4.1: the first bit of a 32-bit integer, which is ignored. */
export const RESERVED_BIT = 0x80000000

/** RFC 9113 §4.2: the size that every endpoint must accept. Larger frames are not accepted here. */
export const MAX_FRAME_BYTES = 16_384
/** RFC 9113 §6.9.1: the largest window. Also the largest stream number. */
export const MAX_31_BITS = 2 ** 31 - 1
/** RFC 9113 §6.9.2: the size of every window until SETTINGS or WINDOW_UPDATE change it. */
export const INITIAL_WINDOW_BYTES = 65_535
/** RFC 9113 §3.4: the first bytes of a client. */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
