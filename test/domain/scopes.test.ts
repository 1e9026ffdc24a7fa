import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { beyond, distinct, isPermission, isReservedScope, isScopeToken, PERMISSIONS } from '../../src/domain/scopes.ts'

describe('scopes', () => {
  it('consist of the characters of RFC 6749 §3.3 only', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        const allowed = [...text].every((c) => {
          const code = c.codePointAt(0) ?? 0
          return code === 0x21 || (code >= 0x23 && code <= 0x5b) || (code >= 0x5d && code <= 0x7e)
        })
        expect(isScopeToken(text)).toBe(text.length > 0 && allowed)
      }),
      { numRuns: 1_000 },
    )
    for (const wrong of ['', 'a b', 'a"b', 'a\\b', 'ä', 'a\n']) expect(isScopeToken(wrong)).toBe(false)
  })

  it("reserve the prefix qscope: for the server's permissions", () => {
    expect(PERMISSIONS.every(isReservedScope)).toBe(true)
    expect(isPermission('qscope:clients.write')).toBe(true)
    expect(isPermission('qscope:clients')).toBe(false)
    expect(isReservedScope('QSCOPE:clients.write')).toBe(false)
  })

  it('are sets: order kept, repetitions dropped', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd')), (values) => {
        const set = distinct(values)
        expect(new Set(set)).toEqual(new Set(values))
        expect(set.length).toBe(new Set(values).size)
      }),
    )
  })

  it('list those that are not allowed', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (wanted, allowed) => {
        expect(beyond(wanted, [...allowed, ...wanted])).toEqual([])
        expect(beyond(wanted, []).length).toBe(wanted.length)
      }),
    )
  })
})
