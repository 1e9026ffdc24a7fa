import type { HeaderField } from './header-field.ts'
import { huffmanEncode, huffmanLength } from './huffman.ts'
import { staticIndexOfField, staticIndexOfName } from './static-table.ts'

/** RFC 7541 §6.3: the sender needs no dynamic table. */
export const NO_TABLE_UPDATE = 0x20

/** The longest coding of an index or a length. */
const MAX_INTEGER_BYTES = 5
const INDEXED = 0x80
const WITHOUT_INDEXING = 0x00
const NEVER_INDEXED = 0x10
const HUFFMAN = 0x80

/**
 * Encodes a header block that refers to no dynamic table, so that it can be made once and sent on any connection. Fields that
 * are sensitive are never indexed. Names and values are ISO 8859-1.
 */
export function encodeBlock(fields: readonly HeaderField[]): Uint8Array {
  let most = 0
  for (const { name, value } of fields) most += name.length + value.length + 3 * MAX_INTEGER_BYTES
  const block = Buffer.allocUnsafe(most)
  let end = 0
  for (const field of fields) end = writeField(field, block, end)
  return block.subarray(0, end)
}

function writeField(field: HeaderField, block: Buffer, at: number): number {
  const nameIndex = staticIndexOfName(field.name)
  // §7.1.3: a value that is secret is not to be told from the index of a table either.
  const index = field.sensitive ? 0 : staticIndexOfField(nameIndex, field)
  if (index > 0) return writeInteger(index, INDEXED, 0x7f, block, at)
  const end = writeInteger(nameIndex, field.sensitive ? NEVER_INDEXED : WITHOUT_INDEXING, 0x0f, block, at)
  return writeText(field.value, block, nameIndex > 0 ? end : writeText(field.name, block, end))
}

/** §5.2: as it is, unless its code is shorter. */
function writeText(text: string, block: Buffer, at: number): number {
  const coded = huffmanLength(text)
  if (coded < text.length) return huffmanEncode(text, block, writeInteger(coded, HUFFMAN, 0x7f, block, at))
  const end = writeInteger(text.length, 0, 0x7f, block, at)
  return end + block.write(text, end, 'latin1')
}

/** §5.1: an integer whose first bits stand in the low bits of a byte, which `mask` covers. */
function writeInteger(value: number, first: number, mask: number, block: Buffer, at: number): number {
  let end = at
  if (value < mask) {
    block[end++] = first | value
    return end
  }
  block[end++] = first | mask
  let rest = value - mask
  for (; rest >= 0x80; rest >>>= 7) block[end++] = (rest & 0x7f) | 0x80
  block[end++] = rest
  return end
}
