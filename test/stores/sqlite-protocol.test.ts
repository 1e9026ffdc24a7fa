import { array, assert, integer, oneof, property, string, uint8Array } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packed, Unpacker } from '../../src/stores/sql/dialects/sqlite/protocol.ts'

/** Together larger than the initial buffer of the unpacker. */
const bytes = uint8Array({ maxLength: 9_000, size: 'max' })
const statements = array(array(oneof(bytes, string(), integer())), { minLength: 1 })

describe('a statement for the writer thread', () => {
  it('arrives with its parameters, including bytes, also after other statements', () => {
    assert(
      property(statements, (all) => {
        const unpacker = new Unpacker()
        for (const parameters of all) {
          const arrived = unpacker.unpack(structuredClone(packed({ sql: 'select 1', parameters })))
          expect(arrived.map(plain)).toEqual(parameters.map(plain))
        }
      }),
    )
  })

  it('sends bytes from the middle of a buffer without the rest', () => {
    const pool = Buffer.from('neighbour-bytes-neighbour')
    const message = packed({ sql: 'select ?', parameters: [pool.subarray(10, 15)] })
    expect(JSON.stringify(message)).not.toContain('neighbour')
    expect(new Unpacker().unpack(message).map(plain)).toEqual([plain(Buffer.from('bytes'))])
  })
})

function plain(value: unknown): unknown {
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('hex') } : value
}
