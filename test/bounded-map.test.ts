import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BoundedMap } from '../src/bounded-map.ts'

describe('a bounded map', () => {
  it('forgets what was set longest ago', () => {
    const map = new BoundedMap<string, number>(2)
    map.set('a', 1)
    map.set('b', 2)
    map.set('a', 3)
    map.set('c', 4)
    expect([...map.keys()]).toEqual(['a', 'c'])
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([3, undefined, 4])
  })

  it('holds the last entries that were set, whatever the order', () => {
    const operation = fc.record({ remove: fc.boolean(), key: fc.integer({ min: 0, max: 9 }) })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(operation), (capacity, operations) => {
        const map = new BoundedMap<number, number>(capacity)
        let expected: readonly number[] = []
        for (const [at, { remove, key }] of operations.entries()) {
          if (remove) {
            expect(map.delete(key)).toBe(expected.includes(key))
            expected = expected.filter((each) => each !== key)
          } else {
            map.set(key, at)
            expected = [...expected.filter((each) => each !== key), key].slice(-capacity)
          }
          expect([...map.keys()]).toEqual(expected)
          expect(map.size).toBe(expected.length)
        }
      }),
    )
  })

  it('refuses a capacity that is no number of entries', () => {
    for (const capacity of [0, -1, 1.5, Number.NaN]) expect(() => new BoundedMap(capacity)).toThrow(RangeError)
  })
})
