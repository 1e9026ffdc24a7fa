import { describe, expect, it } from 'vitest'
import { BruteForceGuard } from '../../src/auth/brute-force-guard.ts'
import { epochMs } from '../../src/domain/ids.ts'

const NOW = epochMs(1_800_000_000_000)
const at = (peer: string, laterMs = 0) => ({ peer, now: epochMs(NOW + laterMs), certificate: null })
const showing = (clientId: string, secret: string) => ({ clientId, proof: { kind: 'secret' as const, secret } })
const newGuard = () =>
  new BruteForceGuard({ perClient: { burst: 3, perMinute: 1 }, perPeer: { burst: 6, perMinute: 6 } })

describe('guessing', () => {
  it('is limited earlier for a secret that takes long to verify, for that client and address only', () => {
    const guard = new BruteForceGuard({
      perClient: { burst: 100, perMinute: 60 },
      perPeer: { burst: 1_000, perMinute: 600 },
    })
    const countAs = (client: string, peer: string) => guard.count(at(peer), showing(client, 'guess')).ok
    const guesses = Array.from({ length: 50 }, () => countAs('imported', '192.0.2.1'))
    expect(guesses.filter(Boolean)).toHaveLength(10)
    expect(countAs('imported', '192.0.2.2')).toBe(true)
    const others = Array.from({ length: 50 }, (_, index) => countAs(`imported-${index}`, '192.0.2.1'))
    expect(others.filter(Boolean)).toHaveLength(10)
    expect(countAs('imported-50', '192.0.2.2')).toBe(true)
    // What is verified fast goes on, and so does what turns out to be right.
    expect(guard.admit(at('192.0.2.1'), showing('orders', 'secret')).ok).toBe(true)
    guard.uncount(at('192.0.2.1'), showing('imported-0', 'guess'))
    expect(countAs('imported-50', '192.0.2.1')).toBe(true)
  })

  it.each([
    ['the default', 600, 1_000, 20, 20],
    ['ten times the default, for many clients behind one address', 6_000, 10_000, 200, 120],
    ['less than the default', 60, 100, 20, 20],
  ])('is limited to a share of the configured rate for a secret that takes long to verify: %s', (...row) => {
    const [, perMinute, burst, slowBurst, slowPerMinute] = row
    const guard = new BruteForceGuard({ perClient: { burst: 100, perMinute: 60 }, perPeer: { burst, perMinute } })
    const admittedAt = (laterMs: number) =>
      Array.from({ length: 1_000 }, (_, n) =>
        guard.count(at('192.0.2.1', laterMs), showing(`imported-${laterMs}-${n}`, 'guess')),
      ).filter(({ ok }) => ok).length
    expect(admittedAt(0)).toBe(slowBurst)
    expect(admittedAt(60_000)).toBe(slowPerMinute)
  })

  it('is limited to a tenth of the configured rate for one client with a secret that takes long to verify', () => {
    const guard = new BruteForceGuard({ perClient: { burst: 500, perMinute: 60 }, perPeer: null })
    const guesses = Array.from({ length: 100 }, () => guard.count(at('192.0.2.1'), showing('imported', 'guess')))
    expect(guesses.filter(({ ok }) => ok)).toHaveLength(50)
  })

  it('does not limit other addresses', () => {
    const guard = newGuard()
    const honest = showing('orders', 'right')
    for (let n = 0; n < 100; n += 1) guard.failed(at('192.0.2.1'), showing('orders', `guess ${n}`))
    expect(guard.admit(at('192.0.2.1'), honest).ok).toBe(false)
    expect(guard.admit(at('192.0.2.2'), honest).ok).toBe(true)
  })

  it('is limited for all addresses of one host together', () => {
    const guard = newGuard()
    for (let n = 0; n < 6; n += 1) guard.failed(at(`2001:db8:0:1::${n}`), showing(`client-${n}`, 'guess'))
    const refused = guard.admit(at('2001:db8:0:1:9:9:9:9'), showing('another', 'guess'))
    const quota = { subject: 'peer:2001:db8:0:1::/64', description: expect.any(String) }
    expect(refused).toMatchObject({ ok: false, code: 'limit.exceeded', details: { quota, retryAfterMs: 10_000 } })
    expect(guard.admit(at('2001:db8:0:2::1'), showing('another', 'guess')).ok).toBe(true)
    expect(guard.admit(at('2001:db8:0:1::1', 10_000), showing('another', 'guess')).ok).toBe(true)
  })

  it('limits callers at the same address that have not authenticated, until the bucket has refilled', () => {
    const guard = newGuard()
    guard.succeeded(at('192.0.2.1'), showing('orders', 'right'))
    for (let n = 0; n < 3; n += 1) guard.failed(at('192.0.2.1'), showing('orders', 'guess'))
    expect(guard.admit(at('192.0.2.1'), showing('orders', 'right')).ok).toBe(true)
    expect(guard.admit(at('192.0.2.1'), showing('orders', 'new')).ok).toBe(false)
    expect(guard.admit(at('192.0.2.1'), showing('other', 'right')).ok).toBe(true)
    expect(guard.admit(at('192.0.2.1', 60_000), showing('orders', 'new')).ok).toBe(true)
  })

  it('with bearer tokens has its own limit, which does not affect tokens that were valid recently', () => {
    const guard = newGuard()
    guard.succeeded(at('192.0.2.1'), { bearer: 'right' })
    for (let n = 0; n < 6; n += 1) {
      expect(guard.admit(at('192.0.2.1'), { bearer: `guess ${n}` }).ok).toBe(true)
      guard.failed(at('192.0.2.1'), { bearer: `guess ${n}` })
    }
    expect(guard.admit(at('192.0.2.1'), { bearer: 'guess' })).toMatchObject({
      code: 'limit.exceeded',
      details: { quota: { subject: 'peer:192.0.2.1' }, retryAfterMs: 10_000 },
    })
    expect(guard.admit(at('192.0.2.1'), { bearer: 'right' }).ok).toBe(true)
    expect(guard.admit(at('192.0.2.1'), showing('orders', 'secret')).ok).toBe(true)
    expect(guard.admit(at('192.0.2.2'), { bearer: 'guess' }).ok).toBe(true)
    guard.failed(at('192.0.2.1'), { bearer: 'right' })
    expect(guard.admit(at('192.0.2.1'), { bearer: 'right' }).ok).toBe(false)
  })

  it('is not limited if the limits are off', () => {
    const guard = new BruteForceGuard({ perClient: null, perPeer: null })
    for (let n = 0; n < 1_000; n += 1) guard.failed(at('192.0.2.1'), showing('orders', 'guess'))
    expect(guard.admit(at('192.0.2.1'), showing('orders', 'guess')).ok).toBe(true)
  })
})
