import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { claimsIn, readCompactJws } from '../../src/crypto/compact-jws.ts'

const LONGEST = 8_192
const encode = (text: string | Buffer) => Buffer.from(text).toString('base64url')
const jws = (header: string, payload = '{}', signature: Buffer = Buffer.alloc(64, 7)) =>
  [encode(header), encode(payload), encode(signature)].join('.')
const HEADER = '{"alg":"ES256","kid":"k","typ":"JWT"}'
const read = (text: string) => readCompactJws(text, LONGEST)

describe('a compact JWS', () => {
  it('is parsed', () => {
    const found = read(jws(HEADER, '{"sub":"x"}'))
    expect(found?.header).toEqual({ algorithm: 'ES256', kid: 'k', type: 'JWT' })
    expect(found?.signature).toEqual(Buffer.alloc(64, 7))
    expect(found === null ? null : claimsIn(found)).toEqual({ sub: 'x' })
    expect(read(jws('{"alg":"ES256"}'))?.header).toEqual({ algorithm: 'ES256', kid: null, type: null })
  })

  it('has one spelling: every insertion, deletion or replacement changes or invalidates it', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 70 })
    const edit = fc.record({
      at: fc.nat(),
      remove: fc.nat(2),
      add: fc.oneof(fc.string({ unit: 'binary', maxLength: 3 }), fc.constantFrom('=', '==', ' ', '\n', '+', 'A', '.')),
    })
    const partsOf = (text: string) => text.split('.').map((part) => [...Buffer.from(part, 'base64url')].join(' '))
    fc.assert(
      fc.property(bytes, edit, (signature, { at, remove, add }) => {
        const text = jws(HEADER, '{"sub":"x"}', Buffer.from(signature))
        expect(read(text)).not.toBeNull()
        const place = at % (text.length + 1)
        const edited = text.slice(0, place) + add + text.slice(place + remove)
        if (edited !== text && read(edited) !== null) expect(partsOf(edited)).not.toEqual(partsOf(text))
      }),
      { numRuns: 2_000 },
    )
  })

  it('is rejected with surplus bits after the last byte', () => {
    for (const part of [0, 1, 2]) {
      const parts = [encode('{"alg":"x" }'), encode('{} '), encode(Buffer.alloc(64))]
      const padded = [encode('{"alg":"xx"} '), encode('{}  '), encode(Buffer.alloc(64))]
      for (const of of [parts, padded]) {
        expect(read(of.join('.'))).not.toBeNull()
        const own = of[part] ?? ''
        if (own.length % 4 === 0) continue
        const last = String.fromCharCode(own.charCodeAt(own.length - 1) + 1)
        expect(read(of.with(part, own.slice(0, -1) + last).join('.'))).toBeNull()
      }
    }
  })

  it('is rejected with a header without alg, with crit or b64, or with a duplicate name', () => {
    const bad = [
      '[]',
      'null',
      '"x"',
      '{',
      '{}',
      '{"alg":1}',
      '{"alg":null}',
      '{"alg":"ES256","kid":7}',
      '{"alg":"ES256","typ":{}}',
      '{"alg":"ES256","crit":["x"]}',
      '{"alg":"ES256","b64":false}',
      '{"alg":"ES256","alg":"ES256"}',
      '{"alg":"ES256","\\u0061lg":"none"}',
      '{"alg":"ES256","x":[{"y":1,"y":1}]}',
      '\ufeff{"alg":"ES256"}',
      '{"alg":"ES256"}x',
    ]
    for (const header of bad) expect([header, read(jws(header))]).toEqual([header, null])
    expect(read(`${encode(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))}.e30.AA`)).toBeNull()
    expect(read(jws('{"alg":"ES256","x":{"alg":"a:\\"alg\\":","y":{"alg":[]}},"":{"":1}}'))).not.toBeNull()
  })

  it('has no claims if its payload is not an object or has a duplicate name', () => {
    for (const payload of ['[]', '1', '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', 'x']) {
      const found = read(jws(HEADER, payload))
      expect(found === null ? undefined : claimsIn(found)).toBeNull()
    }
  })

  it('is not parsed when it is too long', () => {
    const text = jws(HEADER)
    expect(readCompactJws(text, text.length)).not.toBeNull()
    expect(readCompactJws(text, text.length - 1)).toBeNull()
  })
})
