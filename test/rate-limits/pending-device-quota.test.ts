import { describe, expect, it } from 'vitest'
import { clientId, type EpochMs, epochMs, type TokenHash } from '../../src/domain/ids.ts'
import { UnsharedCounters } from '../../src/rate-limits/counter-sync.ts'
import { PendingDeviceQuota } from '../../src/rate-limits/pending-device-quota.ts'

const tv = clientId('tv')
const now = epochMs(1_800_000_000_000)
const expiresAt = epochMs(now + 600_000)
const hash = (byte: number) => Buffer.alloc(32, byte) as TokenHash

/** A limit of two for one address. */
function share(decisionOf: (hash: TokenHash) => 'pending' | 'denied' | null = () => null) {
  const quota = new PendingDeviceQuota({ perClient: 100, perPeer: 2 }, new UnsharedCounters())
  const at = (moment: EpochMs) => ({ peer: '192.0.2.1', now: moment })
  const lookUp = async (each: TokenHash) => {
    const decision = decisionOf(each)
    return decision === null ? null : { decision }
  }
  return {
    hold: (moment = now) => quota.hold(at(moment), tv, expiresAt, lookUp),
    release: () => quota.release(at(now), tv),
    settle: (byte: number) => quota.settle(at(now), tv, { hash: hash(byte), expiresAt }),
  }
}

describe('the pending device authorizations of an address', () => {
  it('count before they are stored, also when they are started concurrently', async () => {
    const { hold } = share()
    expect(await Promise.all(Array.from({ length: 5 }, () => hold()))).toEqual([true, true, false, false, false])
  })

  it('are released when they are not stored', async () => {
    const { hold, release } = share()
    await Promise.all([hold(), hold()])
    release()
    expect(await hold()).toBe(true)
    expect(await hold()).toBe(false)
  })

  it('stay counted when another one is released after they were stored', async () => {
    const { hold, release, settle } = share()
    await Promise.all([hold(), hold()])
    settle(1)
    settle(2)
    release()
    expect(await hold()).toBe(false)
  })

  it('no longer count after they are decided or expired', async () => {
    const { hold, settle } = share((each) => (each.equals(hash(1)) ? 'denied' : 'pending'))
    await Promise.all([hold(), hold()])
    settle(1)
    settle(2)
    expect(await hold()).toBe(true)
    expect(await hold()).toBe(false)
    expect(await hold(expiresAt)).toBe(true)
  })

  it('count until their expiry when they cannot be found', async () => {
    const { hold, settle } = share()
    await Promise.all([hold(), hold()])
    settle(1)
    settle(2)
    expect(await hold()).toBe(false)
    expect(await hold(expiresAt)).toBe(true)
  })
})
