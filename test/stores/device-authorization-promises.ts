import { beforeAll, expect, test } from 'vitest'
import { randomBytes } from '../../src/crypto/random.ts'
import type { DeviceAuthorization } from '../../src/domain/device-authorization.ts'
import { clientId, epochMs, keyId, milliseconds, type TokenHash, type UserCodeHash } from '../../src/domain/ids.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  aDeviceAuthorization,
  aGrant,
  aUser,
  change,
  consent,
  context,
  enroll,
  inTransaction,
  NOW,
  register,
  winners,
} from './given.ts'

export function deviceAuthorizationPromises(subject: () => Subject): void {
  const reads = () => subject().backend.reads.deviceAuthorizations
  const find = async ({ deviceCodeHash }: DeviceAuthorization) =>
    (await reads().findByDeviceCode(context(), deviceCodeHash))?.authorization
  const insert = (authorization: DeviceAuthorization) =>
    inTransaction(subject().backend, (stores) => stores.deviceAuthorizations.insert(authorization))
  beforeAll(() => register(subject().backend, aClient('d-one')))

  async function given(over: Partial<DeviceAuthorization> = {}) {
    const authorization = aDeviceAuthorization('d-one', over)
    await insert(authorization)
    return authorization
  }

  async function aConsent() {
    const { backend } = subject()
    const grant = aGrant('d-one', await enroll(backend, aUser()))
    await consent(backend, grant)
    return grant.grantId
  }

  test('are found unchanged by either code, with the state of their client', async () => {
    const authorization = await given({ lastPolledAt: epochMs(NOW + 1), scopes: [] })
    const standing = { authorization, client: { active: true, tokenGeneration: 1, displayName: 'Client d-one' } }
    const other = randomBytes(32) as UserCodeHash
    expect(await reads().findByDeviceCode(context(), authorization.deviceCodeHash)).toEqual(standing)
    expect(await reads().findByUserCode(context(), [other, authorization.userCodeHash])).toEqual(standing)
    expect(await reads().findByUserCode(context(), [other])).toBeNull()
    expect(await reads().findByUserCode(context(), [])).toBeNull()
    expect(await reads().findByDeviceCode(context(), randomBytes(32) as TokenHash)).toBeNull()
  })

  test('list the peppers of the user codes that are pending', async () => {
    const under = (pepper: string, over: Partial<DeviceAuthorization> = {}) =>
      given({ userCodeKeyId: keyId(pepper), ...over })
    await under('pepper-pending')
    await under('pepper-run-out', { expiresAt: NOW })
    const denied = await under('pepper-denied')
    await inTransaction(subject().backend, (stores) =>
      stores.deviceAuthorizations.deny(denied.deviceAuthorizationId, change),
    )
    const peppers = await reads().keyIds(context())
    expect(peppers).toContain('pepper-pending')
    expect(peppers).not.toContain('pepper-run-out')
    expect(peppers).not.toContain('pepper-denied')
  })

  test('are stored once in 20 concurrent attempts with the same user code', async () => {
    const userCodeHash = randomBytes(32) as UserCodeHash
    const won = await winners(subject().backend, 20, (stores) =>
      stores.deviceAuthorizations.insert(aDeviceAuthorization('d-one', { userCodeHash })),
    )
    expect(won).toBe(1)
  })

  test('release the user code after the decision, and are found by it until another one uses it', async () => {
    const { backend } = subject()
    const first = await given()
    const again = aDeviceAuthorization('d-one', { userCodeHash: first.userCodeHash })
    expect(await insert(again)).toBe(false)
    await inTransaction(backend, (stores) => stores.deviceAuthorizations.deny(first.deviceAuthorizationId, change))
    const byUserCode = async () =>
      (await reads().findByUserCode(context(), [first.userCodeHash]))?.authorization.deviceAuthorizationId
    expect(await byUserCode()).toBe(first.deviceAuthorizationId)
    expect(await insert(again)).toBe(true)
    expect(await byUserCode()).toBe(again.deviceAuthorizationId)
  })

  test('are decided once in 40 concurrent approvals and denials', async () => {
    const { backend } = subject()
    const grant = await aConsent()
    const authorization = await given()
    const id = authorization.deviceAuthorizationId
    const outcomes: string[] = []
    const won = await winners(backend, 40, async ({ deviceAuthorizations }, n) => {
      const won = await (n % 2 === 0
        ? deviceAuthorizations.approve(id, grant, change)
        : deviceAuthorizations.deny(id, change))
      if (won) outcomes.push(n % 2 === 0 ? 'approved' : 'denied')
      return won
    })
    expect(won).toBe(1)
    expect(await find(authorization)).toEqual({
      ...authorization,
      decision: outcomes.at(-1),
      grantId: outcomes.at(-1) === 'approved' ? grant : null,
    })
  })

  test('are redeemed once in 50 concurrent attempts, and only if approved', async () => {
    const { backend } = subject()
    const [pending, denied, approved] = [await given(), await given(), await given()]
    const grant = await aConsent()
    await inTransaction(backend, async ({ deviceAuthorizations }) => {
      await deviceAuthorizations.deny(denied.deviceAuthorizationId, change)
      await deviceAuthorizations.approve(approved.deviceAuthorizationId, grant, change)
    })
    const redeem = (one: DeviceAuthorization, times: number) =>
      winners(backend, times, (stores) => stores.deviceAuthorizations.redeem(one.deviceAuthorizationId, change))
    expect(await redeem(pending, 1)).toBe(0)
    expect(await redeem(denied, 1)).toBe(0)
    expect(await redeem(approved, 50)).toBe(1)
    expect(await find(approved)).toMatchObject({ decision: 'redeemed', grantId: grant })
  })

  test('are locked by one poll at a time while they are pending', async () => {
    const { backend } = subject()
    const authorization = await given()
    const { deviceAuthorizationId: id, deviceCodeHash } = authorization
    const polls = Array.from({ length: 20 }, (_, index) =>
      inTransaction(backend, async ({ deviceAuthorizations }) => {
        expect(await deviceAuthorizations.lock(id)).toBe(true)
        const before = (await deviceAuthorizations.findByDeviceCode(context(), deviceCodeHash))?.authorization
        const interval = milliseconds((before?.pollInterval ?? 0) + 1_000)
        await deviceAuthorizations.notePoll(id, { at: epochMs(NOW + index), interval })
      }),
    )
    await Promise.all(polls)
    expect((await find(authorization))?.pollInterval).toBe(authorization.pollInterval + 20_000)
    await inTransaction(backend, (stores) => stores.deviceAuthorizations.deny(id, change))
    expect(await inTransaction(backend, (stores) => stores.deviceAuthorizations.lock(id))).toBe(false)
  })

  test('are counted while they are undecided and unexpired', async () => {
    const { backend } = subject()
    await register(backend, aClient('d-count'))
    const client = clientId('d-count')
    const mine = [aDeviceAuthorization('d-count'), aDeviceAuthorization('d-count'), aDeviceAuthorization('d-count')]
    for (const one of mine) await insert(one)
    await insert(aDeviceAuthorization('d-count', { expiresAt: NOW }))
    await given()
    const denied = mine[0]?.deviceAuthorizationId
    await inTransaction(backend, async ({ deviceAuthorizations }) => {
      if (denied !== undefined) await deviceAuthorizations.deny(denied, change)
      expect(await deviceAuthorizations.countPending(context(), client)).toBe(2)
    })
  })
}
