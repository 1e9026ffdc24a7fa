import type { HeaderField } from './header-field.ts'

/**
 * Encodes a header block that refers to no dynamic table, so that it can be made once and sent on any connection. Fields that
 * are sensitive are never indexed.
 */
export function encodeBlock(fields: readonly HeaderField[]): Uint8Array {
  throw new Error(String(fields.length))
}
