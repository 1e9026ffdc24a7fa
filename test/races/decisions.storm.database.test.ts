import { expect, it } from 'vitest'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { scaled } from '../setup/scale.ts'
import { answersOf, gatherCrowd, reasonsOf } from './crowd.ts'
import { consentOf, eventsOf, external, givenGrants, redemptionOf } from './given.ts'

const { approveDeviceAuthorization, denyDeviceAuthorization, redeemDeviceCode } = DeviceService.method
const { createAuthorizationCode, exchangeAuthorizationCode, introspectToken } = TokenService.method
const { deleteUser, getUser, registerUser } = UserService.method

const ROUNDS = scaled(100, 3)
const CALLERS = 20
const TIMEOUT_MS = 10_000 + ROUNDS * 3_000

onEveryBackend('decisions at once', (server) => {
  const given = givenGrants(server)
  const crowd = gatherCrowd(server)

  it('accept one of approval and denial, and report it to the others', { timeout: TIMEOUT_MS }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const owner = await given.client()
      const { deviceCode, userCode } = await given.device(owner)
      const user = external(server.unique('user-'))
      const outcomes = await crowd.rush(CALLERS, async (index) => {
        if (index % 2 === 0) await crowd.call(approveDeviceAuthorization, { userCode, user }, given.bearer())
        else await crowd.call(denyDeviceAuthorization, { userCode }, given.bearer())
        return index % 2 === 0 ? 'approved' : 'denied'
      })
      const [winner] = answersOf(outcomes)
      expect(answersOf(outcomes)).toEqual(Array.from({ length: CALLERS / 2 }, () => winner))
      expect(reasonsOf(outcomes)).toEqual({ RESOURCE_CONFLICT: CALLERS / 2 })
      const [redeemed] = await crowd.rush(1, () => crowd.call(redeemDeviceCode, { client: owner.client, deviceCode }))
      expect(redeemed?.refused?.reason).toBe(winner === 'approved' ? undefined : 'OAUTH_DEVICE_ACCESS_DENIED')
      const events = await eventsOf(server, owner.clientId)
      expect(events).toEqual(
        winner === 'approved'
          ? {
              'device.started': 1,
              'authorization.granted': 1,
              'device.approved': 1,
              'token.issued': 1,
              'device.redeemed': 1,
            }
          : { 'device.started': 1, 'device.denied': 1 },
      )
    }
  })

  it('accept one of many users who approve the same code, and report it to the others', async () => {
    const owner = await given.client()
    const { deviceCode, userCode } = await given.device(owner)
    const names = Array.from({ length: CALLERS }, () => server.unique('user-'))
    const outcomes = await crowd.rush(CALLERS, async (index) => {
      const user = external(names[index] ?? '')
      await crowd.call(approveDeviceAuthorization, { userCode, user }, given.bearer())
      return user
    })
    const [winner, ...more] = answersOf(outcomes)
    expect(more).toEqual([])
    expect(reasonsOf(outcomes)).toEqual({ RESOURCE_CONFLICT: CALLERS - 1 })
    const { token } = await crowd.call(redeemDeviceCode, { client: owner.client, deviceCode })
    const request = { client: owner.client, token: token?.accessToken ?? '' }
    const { claims } = await crowd.call(introspectToken, request)
    const { user } = await crowd.call(getUser, winner ?? {}, given.bearer())
    expect(claims?.subject).toBe(user?.userId)
    expect(await eventsOf(server, owner.clientId)).toMatchObject({ 'authorization.granted': 1, 'device.approved': 1 })
    // Users whose approval came too late were not registered.
    const known = await crowd.rush(CALLERS, (index) =>
      crowd.call(getUser, external(names[index] ?? ''), given.bearer()),
    )
    expect(reasonsOf(known)).toEqual({ RESOURCE_NOT_FOUND: CALLERS - 1 })
  })

  it('register a new user once, for any number of callers', { timeout: TIMEOUT_MS }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const owner = await given.client()
      const externalId = server.unique('user-')
      const devices = await Promise.all(Array.from({ length: 5 }, () => given.device(owner)))
      const outcomes = await crowd.rush(CALLERS, async (index) => {
        const device = devices[index]
        if (device !== undefined) {
          const { userCode } = device
          await crowd.call(approveDeviceAuthorization, { userCode, user: external(externalId) }, given.bearer())
          return (await crowd.call(redeemDeviceCode, { client: owner.client, deviceCode: device.deviceCode })).token
        }
        if (index % 4 === 0) {
          await crowd.call(registerUser, { externalId }, given.bearer())
          return undefined
        }
        const { code } = await crowd.call(
          createAuthorizationCode,
          consentOf(owner.clientId, externalId),
          given.bearer(),
        )
        return (await crowd.call(exchangeAuthorizationCode, redemptionOf(owner, code))).token
      })
      expect(reasonsOf(outcomes)).toEqual({})
      const { user } = await crowd.call(getUser, external(externalId), given.bearer())
      const registered = await server.auditEvents({
        eventTypes: ['user.registered'],
        ...(user !== undefined && { userId: user.userId }),
      })
      expect(registered.length).toBe(1)
      const tokens = answersOf(outcomes).flatMap((token) => (token === undefined ? [] : [token.accessToken]))
      const looks = await Promise.all(
        tokens.map((token) => crowd.call(introspectToken, { client: owner.client, token })),
      )
      expect(new Set(looks.map(({ claims }) => claims?.subject))).toEqual(new Set([user?.userId]))
    }
  })

  it('never confuse a user with the former owner of the external id', { timeout: TIMEOUT_MS }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const owner = await given.client()
      const externalId = server.unique('user-')
      const { user } = await crowd.call(registerUser, { externalId }, given.bearer())
      const userId = user?.userId ?? ''
      const outcomes = await crowd.rush(CALLERS, async (index) => {
        if (index === CALLERS / 2) {
          await crowd.call(deleteUser, { userId }, given.bearer())
          return undefined
        }
        const { token } = await crowd.call(exchangeAuthorizationCode, await given.code(owner, externalId))
        return token?.accessToken
      })
      for (const reason of Object.keys(reasonsOf(outcomes))) expect(reason).toBe('OAUTH_INVALID_GRANT')
      const tokens = answersOf(outcomes).flatMap((token) => (token === undefined ? [] : [token]))
      for (const token of tokens) {
        const { active, claims } = await crowd.call(introspectToken, { client: owner.client, token })
        if (active) expect(claims?.subject).not.toBe(userId)
      }
    }
  })
})
