import { describe, expect, it } from 'vitest'
import { clientId, type EpochMs, epochMs, type TokenHash } from '../../src/domain/ids.ts'
import { UnsharedCounters } from '../../src/rate-limits/counter-sync.ts'
import { PendingDeviceQuota } from '../../src/rate-limits/pending-device-quota.ts'

const tv = clientId('tv')
const now = epochMs(1_800_000_000_000)
const expiresAt = epochMs(now + 600_000)
const hash = (byte: number) => Buffer.alloc(32, byte) as TokenHash

/** A share of two, as one address sees it. */
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
  it('count from before they are stored, also those that are started at once', async () => {
    const { hold } = share()
    expect(await Promise.all(Array.from({ length: 5 }, () => hold()))).toEqual([true, true, false, false, false])
  })

  it('make room when they are not stored after all', async () => {
    const { hold, release } = share()
    await Promise.all([hold(), hold()])
    release()
    expect(await hold()).toBe(true)
    expect(await hold()).toBe(false)
  })

  it('take one place each once they are stored, which nobody else gives up', async () => {
    const { hold, release, settle } = share()
    await Promise.all([hold(), hold()])
    settle(1)
    settle(2)
    release()
    expect(await hold()).toBe(false)
  })

  it('make room when they are decided, or expire', async () => {
    const { hold, settle } = share((each) => (each.equals(hash(1)) ? 'denied' : 'pending'))
    await Promise.all([hold(), hold()])
    settle(1)
    settle(2)
    expect(await hold()).toBe(true)
    expect(await hold()).toBe(false)
    expect(await hold(expiresAt)).toBe(true)
  })

  it('count until they expire when they cannot be found', async () => {
    const { hold, settle } = share()
    await Promise.all([hold(), hold()])
    settle(1)
    settle(2)
    expect(await hold()).toBe(false)
    expect(await hold(expiresAt)).toBe(true)
  })
})
