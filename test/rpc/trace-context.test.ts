import { describe, expect, it } from 'vitest'
import { boundedTraceParent, boundedTraceState, rayIdOf } from '../../src/rpc/trace-context.ts'

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('the trace state of a caller', () => {
  it('is passed on unchanged within the limits of W3C Trace Context', () => {
    expect(boundedTraceState('a=1,b=2')).toBe('a=1,b=2')
    const longest = `a=${'x'.repeat(253)},b=${'x'.repeat(254)}`
    expect(longest).toHaveLength(512)
    expect(boundedTraceState(longest)).toBe(longest)
  })

  it('is passed on without members beyond 512 characters', () => {
    expect(boundedTraceState(`a=${'x'.repeat(200)},b=${'x'.repeat(200)},c=${'x'.repeat(200)}`)).toBe(
      `a=${'x'.repeat(200)},b=${'x'.repeat(200)}`,
    )
    expect(boundedTraceState(`a=${'x'.repeat(510)},b=2`)).toBe(`a=${'x'.repeat(510)}`)
    expect(boundedTraceState(`a=${'x'.repeat(511)}`)).toBeUndefined()
    expect(boundedTraceState('eyJ'.repeat(20_000))).toBeUndefined()
  })

  it('is passed on without members after the 32nd', () => {
    const members = Array.from({ length: 40 }, (_, index) => `m${index}=1`)
    expect(boundedTraceState(members.join(','))).toBe(members.slice(0, 32).join(','))
  })

  it('is not passed on with a secret in it', () => {
    expect(boundedTraceState('a=qat_0123456789')).toBeUndefined()
  })
})

describe('the trace parent of a caller', () => {
  it('counts as absent if it is longer than any in use', () => {
    expect(boundedTraceParent(PARENT)).toBe(PARENT)
    expect(boundedTraceParent(`${PARENT}-${'x'.repeat(60_000)}`)).toBeUndefined()
    const headers: Readonly<Record<string, string>> = { traceparent: `${PARENT}-${'x'.repeat(60_000)}` }
    expect(rayIdOf({ header: (name) => headers[name] }, () => 'fresh')).toBe('fresh')
    expect(rayIdOf({ header: () => PARENT }, () => 'fresh')).not.toBe('fresh')
  })
})
