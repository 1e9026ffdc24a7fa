import { describe, expect, it } from 'vitest'
import { WatchQuota } from '../../src/rate-limits/watch-quota.ts'

const ctx = { peer: '192.0.2.1' }
const code = 'qdc_a-device-code'

describe('WatchQuota', () => {
  it('names the address in a refusal, but not the device code', () => {
    const quota = new WatchQuota(5)
    for (let watch = 1; watch <= 4; watch += 1) expect(quota.enter(ctx, code)).toMatchObject({ ok: true })
    const ofCode = quota.enter(ctx, code)
    expect(ofCode).toMatchObject({
      code: 'limit.exceeded',
      details: { quota: { subject: 'peer:192.0.2.1', description: 'at most 4 watches per device code' } },
    })
    expect(JSON.stringify(ofCode)).not.toContain(code)
    expect(quota.enter(ctx, 'another')).toMatchObject({ ok: true })
    expect(quota.enter(ctx, 'a third')).toMatchObject({
      details: { quota: { subject: 'peer:192.0.2.1', description: 'at most 5 watches per address' } },
    })
  })

  it('admits another watch after one ends', () => {
    const quota = new WatchQuota(1)
    expect(quota.enter(ctx, code)).toMatchObject({ ok: true })
    expect(quota.enter(ctx, code)).toMatchObject({ ok: false })
    quota.leave(ctx, code)
    expect(quota.enter(ctx, code)).toMatchObject({ ok: true })
  })
})
