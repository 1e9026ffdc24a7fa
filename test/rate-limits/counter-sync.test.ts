import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Counts } from '../../src/app/cluster/messages.ts'
import { WorkerCounterSync } from '../../src/app/cluster/worker-channel.ts'
import { BruteForceGuard } from '../../src/auth/brute-force-guard.ts'
import { clientId, epochMs, type TokenHash } from '../../src/domain/ids.ts'
import { PendingDeviceQuota } from '../../src/rate-limits/pending-device-quota.ts'
import { RateLimiter } from '../../src/rate-limits/rate-limiter.ts'

const KEY = 'drawn once'
const LONGER_THAN_A_REST_MS = 60

/** Two workers, and the counts that they sent to each other. */
function twoWorkers() {
  const told: Counts[] = []
  const one: WorkerCounterSync = new WorkerCounterSync(KEY, (counts) => tell(two, counts))
  const two: WorkerCounterSync = new WorkerCounterSync(KEY, (counts) => tell(one, counts))
  function tell(to: WorkerCounterSync, counts: Counts): void {
    told.push(counts)
    to.receive(structuredClone(counts))
  }
  return { one, two, told }
}

describe('a rate limiter of two workers', () => {
  const limit = { burst: 10, perMinute: 60 }
  const bucketsOf = (sharing: WorkerCounterSync) => new RateLimiter(limit, { counterSync: sharing, name: 'mints' })

  it('counts the takes and returns of both', async () => {
    const { one, two } = twoWorkers()
    const [ones, twos] = [bucketsOf(one), bucketsOf(two)]
    const now = epochMs(Date.now())
    for (let n = 0; n < 6; n += 1) expect(ones.take('orders', now)).toBe(true)
    await sleep(LONGER_THAN_A_REST_MS)
    const later = epochMs(Date.now())
    for (let n = 0; n < 4; n += 1) expect(twos.take('orders', later)).toBe(true)
    expect(twos.take('orders', later)).toBe(false)
    expect(twos.take('others', later)).toBe(true)
    await sleep(LONGER_THAN_A_REST_MS)
    expect(ones.take('orders', epochMs(Date.now()))).toBe(false)
    ones.giveBack('orders')
    await sleep(LONGER_THAN_A_REST_MS)
    expect(twos.take('orders', epochMs(Date.now()))).toBe(true)
  })

  it('has a debt after both take at once, so that the rate is kept over time', async () => {
    const { one, two } = twoWorkers()
    const [ones, twos] = [bucketsOf(one), bucketsOf(two)]
    const now = epochMs(Date.now())
    // The first take of each is sent at once, the others together a moment later.
    for (let n = 0; n < 9; n += 1) expect([ones.take('orders', now), twos.take('orders', now)]).toEqual([true, true])
    await sleep(LONGER_THAN_A_REST_MS)
    for (const buckets of [ones, twos]) {
      expect(buckets.waitFor('orders', now)).toBeGreaterThan(5_000)
      expect(buckets.take('orders', epochMs(now + 5_000))).toBe(false)
    }
  })

  it('sends a rare take at once, and many takes in few messages', async () => {
    const { one, two, told } = twoWorkers()
    bucketsOf(two)
    const buckets = new RateLimiter({ burst: 100_000, perMinute: 60 }, { counterSync: one, name: 'mints' })
    buckets.take('orders', epochMs(Date.now()))
    expect(told).toHaveLength(1)
    for (let n = 0; n < 1_000; n += 1) buckets.take('orders', epochMs(Date.now()))
    await sleep(LONGER_THAN_A_REST_MS)
    expect(told).toHaveLength(2)
    expect(told[1]?.get('mints')?.get('orders')).toBe(1_000)
  })
})

describe('the brute-force guard of two workers', () => {
  const at = (peer: string) => ({ peer, now: epochMs(Date.now()), certificate: null })
  const showing = (secret: string) => ({ clientId: 'orders', proof: { kind: 'secret' as const, secret } })
  const guardOf = (sharing: WorkerCounterSync) =>
    new BruteForceGuard({ perClient: { burst: 3, perMinute: 1 }, perPeer: { burst: 6, perMinute: 6 } }, sharing)

  it('shares failed and successful authentications, so that one limits guesses made at the other', async () => {
    const { one, two } = twoWorkers()
    const [ones, twos] = [guardOf(one), guardOf(two)]
    ones.succeeded(at('192.0.2.1'), showing('right'))
    for (let n = 0; n < 3; n += 1) ones.failed(at('192.0.2.1'), showing(`guess ${n}`))
    await sleep(LONGER_THAN_A_REST_MS)
    expect(twos.admit(at('192.0.2.1'), showing('guess')).ok).toBe(false)
    expect(twos.admit(at('192.0.2.1'), showing('right')).ok).toBe(true)
    expect(twos.admit(at('192.0.2.2'), showing('guess')).ok).toBe(true)
    twos.failed(at('192.0.2.1'), showing('right'))
    await sleep(LONGER_THAN_A_REST_MS)
    expect(ones.admit(at('192.0.2.1'), showing('right')).ok).toBe(false)
  })

  it('does not send secrets', async () => {
    const { one, told } = twoWorkers()
    const guard = guardOf(one)
    guard.succeeded(at('192.0.2.1'), showing('the-right-secret'))
    guard.failed(at('192.0.2.1'), showing('the-wrong-secret'))
    await sleep(LONGER_THAN_A_REST_MS)
    expect(told.length).toBeGreaterThan(0)
    const text = JSON.stringify(told.map((counts) => [...counts].map(([name, keys]) => [name, ...keys])))
    expect(text).toContain('proofs')
    expect(text).not.toMatch(/the-(right|wrong)-secret/)
  })
})

describe('pending devices of two workers', () => {
  it('count towards one limit, until they expire', async () => {
    const { one, two } = twoWorkers()
    const limits = { perClient: 100, perPeer: 2 }
    const [ones, twos] = [new PendingDeviceQuota(limits, one), new PendingDeviceQuota(limits, two)]
    const now = epochMs(1_800_000_000_000)
    const ctx = { peer: '2001:db8::1', now }
    const tv = clientId('tv')
    const expiresAt = epochMs(now + 1_000)
    const unfound = async () => null
    for (const byte of [1, 2]) {
      expect(await ones.hold(ctx, tv, expiresAt, unfound)).toBe(true)
      ones.settle(ctx, tv, { hash: Buffer.alloc(32, byte) as TokenHash, expiresAt })
    }
    await sleep(LONGER_THAN_A_REST_MS)
    expect(await twos.hold(ctx, tv, expiresAt, unfound)).toBe(false)
    expect(await twos.hold({ ...ctx, peer: '192.0.2.1' }, tv, expiresAt, unfound)).toBe(true)
    expect(await twos.hold({ ...ctx, now: expiresAt }, tv, epochMs(now + 2_000), unfound)).toBe(true)
  })
})
