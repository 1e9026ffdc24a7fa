import { timingSafeEqual } from 'node:crypto'
import type { Keyring } from './keyring.ts'

const MAC_BYTES = 16

/** Creates the opaque token that continues a list after `cursor`. It is bound to the list's name and filter, and cannot be forged. */
export function sealPageToken(keyring: Keyring, list: string, filter: object, cursor: string): string {
  return Buffer.concat([keyring.pageTokenMac(binding(list, filter, cursor)), Buffer.from(cursor)]).toString('base64url')
}

/** The cursor in a page token. `null`: it is not a token of this list and filter. */
export function openPageToken(keyring: Keyring, list: string, filter: object, token: string): string | null {
  const bytes = Buffer.from(token, 'base64url')
  if (bytes.length <= MAC_BYTES || bytes.toString('base64url') !== token) return null
  const cursor = bytes.subarray(MAC_BYTES).toString()
  const shown = bytes.subarray(0, MAC_BYTES)
  const isOurs = keyring.pageTokenMacs(binding(list, filter, cursor)).some((mac) => timingSafeEqual(mac, shown))
  return isOurs ? cursor : null
}

function binding(list: string, filter: object, cursor: string): string {
  return JSON.stringify([list, filter, cursor])
}
