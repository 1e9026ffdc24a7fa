import { timingSafeEqual } from 'node:crypto'
import { type EpochMs, epochMs } from '../domain/ids.ts'
import type { RevocationPosition, WriterMark } from '../domain/revocation-position.ts'
import type { Keyring } from './keyring.ts'

/** The position at which a reader of revocations continues. */
export interface RevocationCursor {
  /** Identifies the database. */
  readonly database: number
  /** When the cursor was made, by the database's clock. */
  readonly madeAt: EpochMs
  readonly position: RevocationPosition
}

/** In characters of base64url: 4 KiB, a limit of the contract. */
export const MAX_CURSOR_LENGTH = 4_096
const MAC_BYTES = 16
const VERSION = 1
/** Exact integers in JavaScript have 53 bits; each byte holds 7. */
const MAX_VARINT_BYTES = 8

/**
 * Creates the opaque text with which a reader continues. It cannot be forged, and opens only for the same `reader`: a digest
 * of the caller and the caller's access. Takes about 5 bytes for each writer. `null`: there are too many writers to fit, more
 * than about 600.
 */
export function sealRevocationCursor(keyring: Keyring, reader: string, cursor: RevocationCursor): string | null {
  const bytes: number[] = [VERSION]
  putVarint(bytes, cursor.database)
  putVarint(bytes, cursor.madeAt)
  let previous = 0
  for (const [writer, { sequence, entry }] of [...cursor.position].sort(([one], [other]) => one - other)) {
    putVarint(bytes, writer - previous)
    putVarint(bytes, sequence)
    bytes.push(entry >>> 8, entry & 0xff)
    previous = writer
  }
  const content = Buffer.from(bytes)
  const mac = keyring.revocationCursorMac(binding(reader, content))
  const sealed = Buffer.concat([mac, content]).toString('base64url')
  return sealed.length <= MAX_CURSOR_LENGTH ? sealed : null
}

/** The position in a cursor of this reader. `null`: the text is not one. */
export function openRevocationCursor(keyring: Keyring, reader: string, text: string): RevocationCursor | null {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length <= MAC_BYTES || bytes.toString('base64url') !== text) return null
  const shown = bytes.subarray(0, MAC_BYTES)
  const content = bytes.subarray(MAC_BYTES)
  const isOurs = keyring.revocationCursorMacs(binding(reader, content)).some((mac) => timingSafeEqual(mac, shown))
  return isOurs && content[0] === VERSION ? read(content) : null
}

function binding(reader: string, content: Buffer): string {
  return `${JSON.stringify(reader)}\0${content.toString('base64url')}`
}

/** Parses bytes that `sealRevocationCursor` encoded. */
function read(content: Buffer): RevocationCursor {
  const reader = new VarintReader(content, 1)
  const database = reader.next()
  const madeAt = epochMs(reader.next())
  const position = new Map<number, WriterMark>()
  let writer = 0
  while (!reader.isAtEnd) {
    writer += reader.next()
    const sequence = reader.next()
    position.set(writer, { sequence, entry: reader.nextUint16() })
  }
  return { database, madeAt, position }
}

/** Seven bits for each byte, the lowest first. */
function putVarint(bytes: number[], value: number): void {
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
}

class VarintReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  next(): number {
    let value = 0
    for (let n = 0; n < MAX_VARINT_BYTES; n += 1) {
      const byte = this.#bytes.readUInt8(this.#at)
      this.#at += 1
      value += (byte & 0x7f) * 0x80 ** n
      if (byte < 0x80) return value
    }
    throw new RangeError('a number in a cursor is longer than any that was put there')
  }

  nextUint16(): number {
    const value = this.#bytes.readUInt16BE(this.#at)
    this.#at += 2
    return value
  }
}
