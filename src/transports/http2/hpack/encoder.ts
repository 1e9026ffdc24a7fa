import type { HeaderField } from './header-field.ts'
import { huffmanEncode, huffmanLength } from './huffman.ts'
import { staticIndexOfField, staticIndexOfName } from './static-table.ts'

/** RFC 7541 §6.3: a size update to 0, because the sender uses no dynamic table. */
export const NO_TABLE_UPDATE = 0x20

/** The maximum length of an encoded integer. */
const MAX_INTEGER_BYTES = 5
const INDEXED = 0x80
const WITHOUT_INDEXING = 0x00
const NEVER_INDEXED = 0x10
const HUFFMAN = 0x80

/**
 * Encodes a header block that does not refer to the dynamic table, so that it can be encoded once and sent on any connection.
 * Sensitive fields are never indexed. Names and values are ISO 8859-1.
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
  // §7.1.3: a sensitive value must not be indexed, not even in the static table.
  const index = field.sensitive ? 0 : staticIndexOfField(nameIndex, field)
  if (index > 0) return writeInteger(index, INDEXED, 0x7f, block, at)
  const end = writeInteger(nameIndex, field.sensitive ? NEVER_INDEXED : WITHOUT_INDEXING, 0x0f, block, at)
  return writeText(field.value, block, nameIndex > 0 ? end : writeText(field.name, block, end))
}

/** §5.2: encodes a text in Huffman code if that is shorter, else unchanged. */
function writeText(text: string, block: Buffer, at: number): number {
  const coded = huffmanLength(text)
  if (coded < text.length) return huffmanEncode(text, block, writeInteger(coded, HUFFMAN, 0x7f, block, at))
  const end = writeInteger(text.length, 0, 0x7f, block, at)
  return end + block.write(text, end, 'latin1')
}

/** §5.1: an integer whose first bits are in the low bits of a byte. `mask` selects these bits. */
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
