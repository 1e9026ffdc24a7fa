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

/** The payloads of frames that have but one size (RFC 9113 §6.3, §6.4, §6.7, §6.9), and what GOAWAY begins with (§6.8). */
export const PRIORITY_BYTES = 5
export const RST_STREAM_BYTES = 4
export const PING_BYTES = 8
export const GOAWAY_BYTES = 8
export const WINDOW_UPDATE_BYTES = 4
/** RFC 9113 §4.1: the first bit of an integer of 32 bits that is ignored. */
export const RESERVED_BIT = 0x80000000

/** RFC 9113 §4.2: what everyone takes, and all that is taken here. */
export const MAX_FRAME_BYTES = 16_384
/** RFC 9113 §6.9.1: the largest window, and the largest number of a stream. */
export const MAX_31_BITS = 2 ** 31 - 1
/** RFC 9113 §6.9.2: every window until SETTINGS or WINDOW_UPDATE say otherwise. */
export const INITIAL_WINDOW_BYTES = 65_535
/** RFC 9113 §3.4: what a client begins with. */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
