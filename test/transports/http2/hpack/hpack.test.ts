import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CompressionError } from '../../../../src/transports/http2/hpack/compression-error.ts'
import { Decoder } from '../../../../src/transports/http2/hpack/decoder.ts'
import { DynamicTable } from '../../../../src/transports/http2/hpack/dynamic-table.ts'
import { encodeBlock } from '../../../../src/transports/http2/hpack/encoder.ts'
import { HeaderField } from '../../../../src/transports/http2/hpack/header-field.ts'
import {
  huffmanDecode,
  huffmanEncode,
  huffmanLength,
  maxDecodedLength,
} from '../../../../src/transports/http2/hpack/huffman.ts'
import { STATIC_TABLE } from '../../../../src/transports/http2/hpack/static-table.ts'

const ascii = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })

function fieldsOf(decoder: Decoder, block: Uint8Array): readonly HeaderField[] {
  const fields: HeaderField[] = []
  decoder.decode(Buffer.from(block), 0, block.length, { field: (field) => fields.push(field) })
  return fields
}

const decode = (hex: string, decoder = new Decoder()) => fieldsOf(decoder, Buffer.from(hex, 'hex'))

describe('the Huffman code', () => {
  it('decodes every text to itself, with the predicted length', () => {
    fc.assert(
      fc.property(ascii, (text) => {
        const bytes = new Uint8Array(huffmanLength(text))
        expect(huffmanEncode(text, bytes, 0)).toBe(bytes.length)
        const back = Buffer.alloc(maxDecodedLength(bytes.length))
        const length = huffmanDecode(bytes, 0, bytes.length, back)
        expect(back.toString('latin1', 0, length)).toBe(text)
      }),
    )
  })

  it('decodes only bytes that it would encode itself', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const into = Buffer.alloc(maxDecodedLength(bytes.length))
        const length = huffmanDecode(bytes, 0, bytes.length, into)
        if (length < 0) return
        const again = new Uint8Array(bytes.length)
        expect(huffmanEncode(into.toString('latin1', 0, length), again, 0)).toBe(bytes.length)
        expect(again).toEqual(bytes)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['the EOS symbol', 'ffffffff'],
    ['padding of a whole byte', 'f1e3c2e5f23a6ba0ab90f4ffff'],
    ['padding of zeros', 'f1e3c2e5f23a6ba0ab90f400'],
  ])('refuses %s', (_what, hex) => {
    const bytes = Buffer.from(hex, 'hex')
    expect(huffmanDecode(bytes, 0, bytes.length, Buffer.alloc(100))).toBe(-1)
  })
})

describe('the dynamic table', () => {
  const field = (size: number) => new HeaderField('', 'x'.repeat(size - 32))

  it('behaves like a list', () => {
    const steps = fc.array(
      fc.oneof(
        fc.integer({ min: 32, max: 200 }).map((size) => ({ add: field(size) })),
        fc.integer({ min: 0, max: 400 }).map((size) => ({ resize: size })),
      ),
      { maxLength: 100 },
    )
    fc.assert(
      fc.property(steps, (list) => {
        const table = new DynamicTable(300)
        let model: HeaderField[] = []
        let max = 300
        const size = () => model.reduce((sum, each) => sum + each.size, 0)
        for (const step of list) {
          if ('add' in step) {
            table.add(step.add)
            model = [step.add, ...model]
          } else {
            max = step.resize
            table.resize(max)
          }
          while (size() > max) model.pop()
          expect(table.bytes).toBe(size())
          expect(Array.from({ length: model.length + 1 }, (_, at) => table.at(at))).toEqual([...model, undefined])
        }
      }),
    )
  })
})

describe('the decoder', () => {
  it('returns the object in the table for an indexed field', () => {
    const decoder = new Decoder()
    const [first] = decode('400161016282', decoder)
    const [again, method] = decode('be82', decoder)
    expect(again).toBe(first)
    expect(method).toBe(STATIC_TABLE[1])
  })

  it('marks never-indexed fields as sensitive, and does not add them to its table', () => {
    const decoder = new Decoder()
    const [field] = decode('100161 0162'.replaceAll(' ', ''), decoder)
    expect(field).toMatchObject({ name: 'a', value: 'b', sensitive: true })
    expect(decoder.tableBytes).toBe(0)
  })

  it.each([
    ['index 0', '80'],
    ['an index beyond the tables', 'be'],
    ['the name of an index beyond the tables', '7f00 0161'],
    ['an integer of 32 bits', 'ffffffffff0f'],
    ['an integer that never ends', 'ff8080808080808080'],
    ['an integer without its end', 'ff'],
    ['a string longer than its block', '4001610562'],
    ['a name without a value', '400161'],
    ['a size of the table after a field', '8220'],
    ['a table larger than SETTINGS allow', '3fe21f82'],
  ])('refuses %s', (_what, hex) => {
    expect(() => decode(hex.replaceAll(' ', ''))).toThrow(CompressionError)
  })

  it('requires a size update in the next block after SETTINGS reduce the table', () => {
    const decoder = new Decoder()
    decoder.setMaxTableBytes(100)
    expect(() => decode('82', decoder)).toThrow('smaller')
    const other = new Decoder()
    other.setMaxTableBytes(100)
    expect(decode('3f4582', other)).toHaveLength(1)
    expect(decode('82', other)).toHaveLength(1)
  })

  it('throws only CompressionError for any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), (blocks) => {
        const decoder = new Decoder()
        for (const block of blocks) {
          try {
            fieldsOf(decoder, block)
          } catch (error) {
            expect(error).toBeInstanceOf(CompressionError)
            return
          }
          expect(decoder.tableBytes).toBeLessThanOrEqual(4096)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a block encoded in advance', () => {
  const fields = fc.array(fc.tuple(ascii, ascii, fc.boolean()), { maxLength: 20 })

  it('decodes to its fields in any decoder, repeatedly', () => {
    fc.assert(
      fc.property(fields, (list) => {
        const made = list.map(([name, value, sensitive]) => new HeaderField(name, value, sensitive))
        const block = encodeBlock(made)
        const decoder = new Decoder()
        for (let round = 0; round < 2; round += 1) {
          const back = fieldsOf(decoder, block)
          expect(back.map(({ name, value, sensitive }) => [name, value, sensitive])).toEqual(list)
        }
        expect(decoder.tableBytes).toBe(0)
      }),
    )
  })

  it('has one byte for a field of the static table, unless it is sensitive', () => {
    expect(Buffer.from(encodeBlock([new HeaderField(':status', '200')])).toString('hex')).toBe('88')
    const secret = encodeBlock([new HeaderField(':method', 'GET', true)])
    expect(secret[0]).toBe(0x12)
  })
})
