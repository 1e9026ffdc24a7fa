import { ConnectionError, ErrorCode } from './error-codes.ts'
import { INITIAL_WINDOW_BYTES, MAX_31_BITS, MAX_FRAME_BYTES } from './frames.ts'
import { INITIAL_TABLE_BYTES } from './hpack/decoder.ts'
import type { Http2Limits } from './options.ts'

/** RFC 9113 §6.5.2, and RFC 9218 §2.1. */
export const Setting = Object.freeze({
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
  NO_RFC7540_PRIORITIES: 0x9,
})

const PAIR_BYTES = 6
const MAX_MAX_FRAME_BYTES = 2 ** 24 - 1

/** The SETTINGS that tell clients the limits of a server. */
export function settingsOf(limits: Http2Limits): readonly (readonly [identifier: number, value: number])[] {
  return [
    [Setting.HEADER_TABLE_SIZE, limits.headerTableBytes],
    [Setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
    [Setting.INITIAL_WINDOW_SIZE, limits.streamWindowBytes],
    [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
    [Setting.NO_RFC7540_PRIORITIES, 1],
  ]
}

/** The latest SETTINGS of a client. Settings that do not concern a server without push are validated and not kept. */
export class PeerSettings {
  headerTableBytes = INITIAL_TABLE_BYTES
  windowBytes = INITIAL_WINDOW_BYTES
  maxFrameBytes = MAX_FRAME_BYTES

  /** @throws ConnectionError if the payload of a SETTINGS frame is invalid. */
  update(bytes: Buffer, start: number, end: number): void {
    if ((end - start) % PAIR_BYTES !== 0) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'SETTINGS are pairs')
    for (let at = start; at < end; at += PAIR_BYTES) this.#set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2))
  }

  #set(identifier: number, value: number): void {
    switch (identifier) {
      case Setting.HEADER_TABLE_SIZE:
        this.headerTableBytes = value
        return
      case Setting.ENABLE_PUSH:
      case Setting.NO_RFC7540_PRIORITIES:
        if (value > 1) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `SETTINGS ${identifier} is 0 or 1`)
        return
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_31_BITS) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a window of 2^31 or more')
        this.windowBytes = value
        return
      case Setting.MAX_FRAME_SIZE:
        if (value < MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES) {
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'SETTINGS_MAX_FRAME_SIZE is 2^14 to 2^24-1')
        }
        this.maxFrameBytes = value
        return
      default:
      // RFC 9113 §6.5.2: unknown settings are ignored. The other known ones limit what the server never sends: streams and long
      // header lists.
    }
  }
}
