import { createHash } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import {
  type DeviceAuthorization,
  DeviceService,
  DeviceAuthorizationState as State,
} from '../../src/gen/qscope/v1/device_service_pb.ts'
import { SubjectType } from '../../src/gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { calmest } from '../setup/calmest.ts'
import { type Refused, refusalOf } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import { grantsOn, isSpan } from '../setup/grants.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'
import { startServer } from '../setup/server.ts'

const { getDeviceAuthorization, startDeviceAuthorization } = DeviceService.method
const pending = { status: 'FAILED_PRECONDITION', reason: 'OAUTH_DEVICE_AUTHORIZATION_PENDING' }
const slowDown = { status: 'RESOURCE_EXHAUSTED', reason: 'OAUTH_DEVICE_SLOW_DOWN' }
const accessDenied = { status: 'PERMISSION_DENIED', reason: 'OAUTH_DEVICE_ACCESS_DENIED' }
const expiredToken = { status: 'FAILED_PRECONDITION', reason: 'OAUTH_DEVICE_EXPIRED_TOKEN' }
const invalidGrant = { status: 'FAILED_PRECONDITION', reason: 'OAUTH_INVALID_GRANT' }
const notFound = { status: 'NOT_FOUND', reason: 'RESOURCE_NOT_FOUND' }
const conflict = { status: 'ABORTED', reason: 'RESOURCE_CONFLICT' }
const limit = { status: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_EXCEEDED' }
const retryOf = ({ details }: Refused) => Number(details.retry?.retryDelay?.seconds ?? -1n)
const seconds = (count: number) => ({ seconds: BigInt(count) })

onEveryBackend('RFC 8628', (server, database) => {
  const grants = grantsOn(server)
  async function started(config = {}) {
    // Confidential: the number of authorizations that an address starts for public clients is limited.
    const client = await grants.webClient({
      grantTypes: [GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN],
      redirectUris: [],
      config,
    })
    const device = await grants.startDevice(client)
    return { client, device, poll: () => grants.redeemDevice(client, device) }
  }
  const look = async (userCode: string, attemptKey?: string): Promise<DeviceAuthorization | undefined> => {
    const request = { userCode, ...(attemptKey !== undefined && { attemptKey }) }
    return (await server.call(getDeviceAuthorization, request, grants.bearer())).deviceAuthorization
  }

  describe('§3.1 device authorization request', () => {
    it('§3.1 requires the secret of a confidential client, and none of a public one', async () => {
      const { client } = await started()
      const nameOnly = { clientId: client.clientId }
      expect((await refusalOf(server.call(startDeviceAuthorization, { client: nameOnly }))).reason).toBe(
        'OAUTH_INVALID_CLIENT',
      )
      expect((await grants.startDevice(await grants.deviceClient())).deviceCode).not.toBe('')
    })

    it('§3.1 unauthorized_client: a client that is not registered for the grant', async () => {
      const refused = await refusalOf(grants.startDevice(await grants.webClient()))
      expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
      expect(refused.metadata['grant_type']).toBe('urn:ietf:params:oauth:grant-type:device_code')
    })

    it('§3.1 invalid_scope and invalid_target: scopes and audiences beyond the client’s, and permissions of this server', async () => {
      const client = await grants.webClient({
        grantTypes: [GrantType.DEVICE_CODE],
        scopes: ['orders.read', 'qscope:users.read'],
      })
      const wide = await refusalOf(grants.startDevice(client, { scopes: ['orders.read', 'qscope:users.read', 'x'] }))
      expect(wide).toMatchObject({ reason: 'OAUTH_INVALID_SCOPE' })
      expect(wide.metadata['rejected_scopes']).toBe('qscope:users.read x')
      const far = await refusalOf(grants.startDevice(client, { audiences: ['https://other.example'] }))
      expect(far).toMatchObject({ reason: 'OAUTH_INVALID_TARGET' })
      expect((await look((await grants.startDevice(client)).userCode))?.scopes).toEqual(['orders.read'])
    })
  })

  describe('§3.2 device authorization response', () => {
    it('§3.2 returns the codes, the verification URI, the lifetime and the poll interval', async () => {
      const { device } = await started({ deviceCodeTtl: seconds(120), devicePollInterval: seconds(7) })
      expect(device.deviceCode).toMatch(/^qdc_[0-9A-Za-z]{49}$/)
      expect(device.userCode).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
      expect(device.verificationUri).toBe(`${server.issuer}/device`)
      expect(Number(device.expiresIn?.seconds)).toSatisfy(isSpan(120))
      expect(device.interval?.seconds).toBe(7n)
    })

    it('§3.2 the default lifetime is 600 s and the default interval 5 s', async () => {
      const { device } = await started()
      expect(Number(device.expiresIn?.seconds)).toSatisfy(isSpan(600))
      expect(device.interval?.seconds).toBe(5n)
    })

    it('§3.3.1 returns a verification URI that contains the user code', async () => {
      const { device } = await started()
      expect(device.verificationUriComplete).toBe(`${device.verificationUri}?user_code=${device.userCode}`)
    })
  })

  describe('§3.3 user interaction', () => {
    it('§3.3 shows the client and the scopes to the user', async () => {
      const { client, device } = await started()
      expect(await look(device.userCode)).toMatchObject({
        clientId: client.clientId,
        clientDisplayName: client.clientId,
        scopes: ['orders.read', 'orders.write'],
        state: State.PENDING,
      })
    })

    it('§3.3 shows whether the authorization was approved, denied or redeemed', async () => {
      const [a, b] = [await started(), await started()]
      await grants.approveDevice(a.device)
      await grants.denyDevice(b.device)
      expect((await look(a.device.userCode))?.state).toBe(State.APPROVED)
      expect((await look(b.device.userCode))?.state).toBe(State.DENIED)
      await a.poll()
      expect((await look(a.device.userCode))?.state).toBe(State.REDEEMED)
    })

    it('§3.3 accepts decisions only from the front end', async () => {
      const { client, device, poll } = await started()
      const { accessToken } = await grants.mint(await server.registerClient({ scopes: ['qscope:users.write'] }))
      const { approveDeviceAuthorization, denyDeviceAuthorization } = DeviceService.method
      const { userCode } = device
      for (const sent of [{ bearer: accessToken }, { basic: [client.clientId, client.clientSecret] as const }, {}]) {
        const refused = await Promise.all([
          refusalOf(server.call(approveDeviceAuthorization, { userCode, user: grants.newUser() }, sent)),
          refusalOf(server.call(denyDeviceAuthorization, { userCode }, sent)),
          refusalOf(server.call(getDeviceAuthorization, { userCode }, sent)),
        ])
        const reason = 'bearer' in sent ? 'OAUTH_INSUFFICIENT_SCOPE' : 'OAUTH_INVALID_TOKEN'
        expect(refused.map((each) => each.reason)).toEqual([reason, reason, reason])
      }
      expect(await refusalOf(poll())).toMatchObject(pending)
    })

    it('§3.3 the approval may narrow the requested scopes, and not extend them', async () => {
      const { device, poll } = await started()
      const wide = await refusalOf(grants.approveDevice(device, { scopes: ['orders.read', 'payments.write'] }))
      expect(wide).toMatchObject({ reason: 'OAUTH_INVALID_SCOPE' })
      expect(wide.metadata['rejected_scopes']).toBe('payments.write')
      await grants.approveDevice(device, { scopes: ['orders.read'] })
      expect((await poll()).scopes).toEqual(['orders.read'])
    })

    it('§3.3 the approval of a deactivated user is refused', async () => {
      const { device, poll } = await started()
      const user = grants.newUser()
      const { user: known } = await server.call(
        UserService.method.registerUser,
        { externalId: user.id.value },
        grants.bearer(),
      )
      await server.call(UserService.method.deactivateUser, { userId: known?.userId ?? '' }, grants.bearer())
      expect(await refusalOf(grants.approveDevice(device, { user }))).toMatchObject(invalidGrant)
      expect(await refusalOf(poll())).toMatchObject(pending)
    })

    it('§3.3 the same decision can be repeated, and is audited once', async () => {
      const [a, b] = [await started(), await started()]
      const user = grants.newUser()
      for (let i = 0; i < 2; i += 1) {
        await grants.approveDevice(a.device, { user })
        await grants.denyDevice(b.device)
      }
      const eventsOf = async ({ client }: typeof a) =>
        (await server.auditEvents({ clientId: client.clientId })).map(({ eventType }) => eventType)
      const approved = await eventsOf(a)
      expect(approved.filter((type) => type === 'device.approved')).toHaveLength(1)
      expect(approved.filter((type) => type === 'authorization.granted')).toHaveLength(1)
      expect((await eventsOf(b)).filter((type) => type === 'device.denied')).toHaveLength(1)
    })

    it('§3.3 the opposite decision is resource.conflict, even after the code is redeemed', async () => {
      const [a, b] = [await started(), await started()]
      await grants.approveDevice(a.device)
      await grants.denyDevice(b.device)
      expect(await refusalOf(grants.denyDevice(a.device))).toMatchObject(conflict)
      expect(await refusalOf(grants.approveDevice(b.device))).toMatchObject(conflict)
      await a.poll()
      expect(await refusalOf(grants.denyDevice(a.device))).toMatchObject(conflict)
      expect(await refusalOf(b.poll())).toMatchObject(accessDenied)
    })

    it('§3.3 one of parallel decisions takes effect', async () => {
      const { device, poll } = await started()
      const user = { id: { case: 'externalId' as const, value: server.unique('user-') } }
      const decide = [0, 1, 2, 3].flatMap(() => [grants.approveDevice(device, { user }), grants.denyDevice(device)])
      const settled = await Promise.allSettled(decide)
      for (const each of settled) if (each.status === 'rejected') expect(each.reason).toMatchObject(conflict)
      const approved = (await look(device.userCode))?.state === State.APPROVED
      expect(settled.map(({ status }) => status === 'fulfilled')).toEqual(
        decide.map((_, i) => (i % 2 === 0) === approved),
      )
      if (approved) expect((await poll()).accessToken).not.toBe('')
      else expect(await refusalOf(poll())).toMatchObject(accessDenied)
    })

    it('§3.3 not found: an unknown or expired user code', async () => {
      const { device } = await started({ deviceCodeTtl: seconds(2) })
      server.clock.advance(2_000)
      for (const userCode of [device.userCode, 'BBBB-BBBB']) {
        const attemptKey = server.unique('')
        const refusals = [
          refusalOf(look(userCode, attemptKey)),
          refusalOf(grants.approveDevice({ userCode }, { attemptKey })),
          refusalOf(grants.denyDevice({ userCode }, { attemptKey })),
        ]
        for (const refused of await Promise.all(refusals)) expect(refused).toMatchObject(notFound)
      }
    })

    it('§3.3 names the missing field of a decision', async () => {
      const { approveDeviceAuthorization } = DeviceService.method
      const { device } = await started()
      const { userCode } = device
      const refused = await refusalOf(server.call(approveDeviceAuthorization, { userCode }, grants.bearer()))
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['user'] })
      expect((await refusalOf(look(''))).violations).toEqual(['user_code'])
    })
  })

  describe('§3.4 device access token request', () => {
    it('§3.4 issues tokens with the approving user as subject', async () => {
      const { client, device, poll } = await started()
      await grants.approveDevice(device)
      const tokens = await poll()
      expect(tokens.scopes).toEqual(['orders.read', 'orders.write'])
      expect(await grants.claimsOf(tokens.accessToken)).toMatchObject({
        clientId: client.clientId,
        subjectType: SubjectType.USER,
      })
      expect((await grants.refresh(client, tokens.refreshToken)).accessToken).not.toBe('')
      const events = await server.auditEvents({ clientId: client.clientId, eventTypes: ['device.redeemed'] })
      expect(events.map(({ tokenId }) => tokenId)).toEqual([tokens.tokenId])
    })

    it('§3.4 issues a token with the requested audiences', async () => {
      const client = await grants.deviceClient({ audiences: ['https://orders.example'] })
      const device = await grants.startDevice(client, { audiences: ['https://orders.example'] })
      expect((await look(device.userCode))?.audiences).toEqual(['https://orders.example'])
      await grants.approveDevice(device)
      expect((await grants.redeemDevice(client, device)).audiences).toEqual(['https://orders.example'])
    })

    it('§3.4 invalid_target: a client that has lost the audience', async () => {
      const client = await grants.deviceClient({ audiences: ['https://orders.example'] })
      const device = await grants.startDevice(client, { audiences: ['https://orders.example'] })
      await grants.approveDevice(device)
      const update = { client: { clientId: client.clientId }, updateMask: { paths: ['audiences'] } }
      await server.call(ClientService.method.updateClient, update, grants.bearer())
      const refused = await refusalOf(grants.redeemDevice(client, device))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_TARGET' })
    })

    it('§3.4 invalid_client: a wrong secret, after which the code can still be redeemed', async () => {
      const { client, device, poll } = await started()
      await grants.approveDevice(device)
      const wrong = { ...client.client, method: { case: 'clientSecret' as const, value: 'wrong' } }
      expect((await refusalOf(grants.redeemDevice({ client: wrong }, device))).reason).toBe('OAUTH_INVALID_CLIENT')
      expect((await poll()).accessToken).not.toBe('')
    })

    it('§3.4 invalid_grant: the device code of another client, which can still redeem it', async () => {
      const { device, poll } = await started()
      const other = await started()
      await grants.approveDevice(device)
      expect(await refusalOf(grants.redeemDevice(other.client, device))).toMatchObject(invalidGrant)
      expect((await poll()).accessToken).not.toBe('')
    })

    it('§3.4 invalid_grant: unknown, malformed and mistyped codes get the same answer', async () => {
      const { client, device } = await started()
      const { deviceCode } = device
      const mistyped = deviceCode.slice(0, -1) + (deviceCode.endsWith('0') ? '1' : '0')
      const values = ['garbage', mistyped, device.userCode, server.unknownToken(), ...IMPOSSIBLE_TOKENS]
      const refusals = values.map((value) => refusalOf(grants.redeemDevice(client, { deviceCode: value })))
      const [first, ...others] = await Promise.all(refusals)
      expect(first).toMatchObject(invalidGrant)
      for (const refused of others) expect(refused.message).toBe(first?.message)
    })

    it('§3.4 invalid_grant: a redeemed code, whose tokens stay active', async () => {
      const { device, poll } = await started()
      await grants.approveDevice(device)
      const tokens = await poll()
      expect(await refusalOf(poll())).toMatchObject(invalidGrant)
      expect(await grants.isActive(tokens.accessToken)).toBe(true)
    })

    it('§3.4 invalid_grant: the user was deactivated after the approval', async () => {
      const { device, poll } = await started()
      const user = grants.newUser()
      await grants.approveDevice(device, { user })
      const found = await server.call(UserService.method.getUser, user, grants.bearer())
      await server.call(UserService.method.deactivateUser, { userId: found.user?.userId ?? '' }, grants.bearer())
      expect(await refusalOf(poll())).toMatchObject(invalidGrant)
    })

    it('§3.4 expired_token: all grants of the client were revoked', async () => {
      const { client, device, poll } = await started()
      const target = { case: 'clientId' as const, value: client.clientId }
      await server.call(TokenService.method.revokeTokens, { target }, grants.bearer())
      expect(await refusalOf(poll())).toMatchObject(expiredToken)
      expect(await refusalOf(grants.approveDevice(device))).toMatchObject(notFound)
    })
  })

  describe('§3.5 device access token response', () => {
    it('§3.5 authorization_pending: with the interval as RetryInfo', async () => {
      const { poll } = await started({ devicePollInterval: seconds(7) })
      const refused = await refusalOf(poll())
      expect(refused).toMatchObject({ ...pending, metadata: { oauth_error: 'authorization_pending' } })
      expect(retryOf(refused)).toBe(7)
    })

    it('§3.5 authorization_pending: the first poll at once', async () => {
      const { poll } = await started()
      expect(await refusalOf(poll())).toMatchObject(pending)
    })

    it('§3.5 slow_down: the interval grows by 5 s, for this and all later polls', async () => {
      const { device, poll } = await started()
      expect(await refusalOf(poll())).toMatchObject(pending)
      const tooFast = await refusalOf(poll())
      expect(tooFast).toMatchObject({ ...slowDown, metadata: { oauth_error: 'slow_down' } })
      expect(retryOf(tooFast)).toBe(10)
      server.clock.advance(9_000)
      const again = await refusalOf(poll())
      expect(again).toMatchObject(slowDown)
      expect(retryOf(again)).toBe(15)
      for (let i = 0; i < 2; i += 1) {
        server.clock.advance(15_000)
        const inTime = await refusalOf(poll())
        expect(inTime).toMatchObject(pending)
        expect(retryOf(inTime)).toBe(15)
      }
      server.clock.advance(10_000)
      expect(retryOf(await refusalOf(poll()))).toBe(20)
      await grants.approveDevice(device)
      expect((await poll()).accessToken).not.toBe('')
    })

    it('§3.5 authorization_pending: polls that keep the interval', async () => {
      const { poll } = await started()
      for (let i = 0; i < 4; i += 1) {
        expect(await refusalOf(poll())).toMatchObject(pending)
        server.clock.advance(5_000)
      }
    })

    it('§3.5 slow_down: all but one of parallel polls', async () => {
      const { poll } = await started()
      const refused = await Promise.all([0, 1, 2, 3].map(() => refusalOf(poll())))
      expect(refused.map(({ reason }) => reason).sort()).toEqual([
        'OAUTH_DEVICE_AUTHORIZATION_PENDING',
        'OAUTH_DEVICE_SLOW_DOWN',
        'OAUTH_DEVICE_SLOW_DOWN',
        'OAUTH_DEVICE_SLOW_DOWN',
      ])
      expect(refused.map(retryOf).sort((a, b) => a - b)).toEqual([5, 10, 15, 20])
    })

    it('§3.5 access_denied: the user refused; also for fast polls and after expiry', async () => {
      const { device, poll } = await started({ deviceCodeTtl: seconds(30) })
      expect(await refusalOf(poll())).toMatchObject(pending)
      await grants.denyDevice(device)
      for (let i = 0; i < 3; i += 1) expect(await refusalOf(poll())).toMatchObject(accessDenied)
      server.clock.advance(31_000)
      expect(await refusalOf(poll())).toMatchObject(accessDenied)
    })

    it('§3.5 expired_token: the codes have expired, approved or not; also for fast polls', async () => {
      const [a, b] = [await started({ deviceCodeTtl: seconds(5) }), await started({ deviceCodeTtl: seconds(5) })]
      await grants.approveDevice(a.device)
      expect(await refusalOf(b.poll())).toMatchObject(pending)
      server.clock.advance(5_000)
      for (let i = 0; i < 2; i += 1) {
        expect(await refusalOf(a.poll())).toMatchObject(expiredToken)
        expect(await refusalOf(b.poll())).toMatchObject(expiredToken)
      }
    })
  })

  describe('§3.5 watching instead of polling', () => {
    const statesOf = ({ items }: { readonly items: readonly { readonly state: State }[] }) =>
      items.map(({ state }) => state)
    const isPending = (watch: Parameters<typeof statesOf>[0]) =>
      vi.waitFor(() => expect(statesOf(watch)).toEqual([State.PENDING]), { timeout: 60_000, interval: 10 })

    it('§3.5 a watch reports PENDING at once and APPROVED with the token within a second, and ends', async () => {
      const waited = await calmest(1_000, async () => {
        const { client, device, poll } = await started()
        const watch = grants.watchDevice(client, device)
        await isPending(watch)
        await grants.approveDevice(device)
        const decidedAt = performance.now()
        await watch.ended
        const waitedMs = performance.now() - decidedAt
        expect(statesOf(watch)).toEqual([State.PENDING, State.APPROVED])
        expect(await grants.isActive(watch.items[1]?.token?.accessToken ?? '')).toBe(true)
        expect(watch.items[1]?.token).toMatchObject({ tokenType: 'Bearer', scopes: ['orders.read', 'orders.write'] })
        expect(await refusalOf(poll())).toMatchObject(invalidGrant)
        return waitedMs
      })
      expect(waited).toBeLessThan(1_000)
    })

    it('§3.5 a watch reports an earlier decision at once', async () => {
      const [a, b] = [await started(), await started()]
      await grants.approveDevice(a.device)
      await grants.denyDevice(b.device)
      const watches = [grants.watchDevice(a.client, a.device), grants.watchDevice(b.client, b.device)]
      await Promise.all(watches.map(({ ended }) => ended))
      expect(watches.map(statesOf)).toEqual([[State.APPROVED], [State.DENIED]])
      expect(watches[1]?.items[0]?.token).toBeUndefined()
    })

    it('§3.5 a watch reports DENIED, and ends', async () => {
      const { client, device } = await started()
      const watch = grants.watchDevice(client, device)
      await isPending(watch)
      await grants.denyDevice(device)
      await watch.ended
      expect(statesOf(watch)).toEqual([State.PENDING, State.DENIED])
    })

    it('§3.5 a watch reports EXPIRED, and ends', async () => {
      const { client, device } = await started({ deviceCodeTtl: seconds(5) })
      const watch = grants.watchDevice(client, device)
      await isPending(watch)
      server.clock.advance(5_000)
      await watch.ended
      expect(statesOf(watch)).toEqual([State.PENDING, State.EXPIRED])
    })

    it('§3.5 a watch repeats PENDING as a heartbeat', async () => {
      const { client, device } = await started()
      const watch = grants.watchDevice(client, device)
      await isPending(watch)
      server.clock.advance(15_000)
      await vi.waitFor(() => expect(statesOf(watch)).toEqual([State.PENDING, State.PENDING]), { timeout: 60_000 })
      watch.cancel()
    })

    it('§3.5 a watch reports a decision on another instance within a second', async () => {
      const other = await startServer(database.url, server.keyring, server.first)
      try {
        const waited = await calmest(1_000, async () => {
          const { client, device } = await started()
          const watch = grantsOn(other).watchDevice(client, device)
          await isPending(watch)
          await grants.approveDevice(device)
          const decidedAt = performance.now()
          await watch.ended
          const waitedMs = performance.now() - decidedAt
          expect(statesOf(watch)).toEqual([State.PENDING, State.APPROVED])
          return waitedMs
        })
        expect(waited).toBeLessThan(1_000)
      } finally {
        await other.stop()
      }
    })

    it('§3.5 a watch does not count as a poll', async () => {
      const { client, device, poll } = await started()
      expect(await refusalOf(poll())).toMatchObject(pending)
      for (let i = 0; i < 3; i += 1) {
        const watch = grants.watchDevice(client, device)
        await isPending(watch)
        watch.cancel()
      }
      server.clock.advance(5_000)
      const inTime = await refusalOf(poll())
      expect(inTime).toMatchObject(pending)
      expect(retryOf(inTime)).toBe(5)
    })

    it('§3.5 invalid_grant: watching a code that is redeemed, unknown or of another client', async () => {
      const { client, device, poll } = await started()
      const other = await started()
      await grants.approveDevice(device)
      await poll()
      for (const watch of [
        grants.watchDevice(client, device),
        grants.watchDevice(client, { deviceCode: 'garbage' }),
        grants.watchDevice(client, other.device),
      ]) {
        expect(await refusalOf(watch.ended)).toMatchObject(invalidGrant)
        expect(watch.items).toEqual([])
      }
      for (const deviceCode of IMPOSSIBLE_TOKENS) {
        expect(await refusalOf(grants.watchDevice(client, { deviceCode }).ended)).toMatchObject(invalidGrant)
      }
    })

    it('§3.5 one of two watches receives the token', async () => {
      const { client, device } = await started()
      const watches = [grants.watchDevice(client, device), grants.watchDevice(client, device)]
      for (const watch of watches) await isPending(watch)
      await grants.approveDevice(device)
      const ends = await Promise.allSettled(watches.map(({ ended }) => ended))
      expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject(invalidGrant)
    })

    it('§3.5 a watch requires client authentication', async () => {
      const { client, device } = await started()
      const watch = grants.watchDevice({ client: { clientId: client.clientId } as typeof client.client }, device)
      expect((await refusalOf(watch.ended)).reason).toBe('OAUTH_INVALID_CLIENT')
    })

    it('§3.5 a cancelled watch does not redeem the code', async () => {
      const { client, device, poll } = await started()
      const watch = grants.watchDevice(client, device)
      await isPending(watch)
      watch.cancel()
      expect((await refusalOf(watch.ended)).status).toBe('CANCELLED')
      await server.app.state.idle()
      await grants.approveDevice(device)
      await new Promise((resolve) => setTimeout(resolve, 700))
      expect((await poll()).accessToken).not.toBe('')
    })

    it('§3.5 a watch ends at its deadline, and does not redeem the code', async () => {
      const { client, device, poll } = await started()
      const request = { client: client.client, deviceCode: device.deviceCode }
      const watch = server.stream(DeviceService.method.watchDeviceAuthorization, request, { deadlineMs: 400 })
      expect((await refusalOf(watch.ended)).status).toBe('DEADLINE_EXCEEDED')
      await grants.approveDevice(device)
      await new Promise((resolve) => setTimeout(resolve, 700))
      expect((await poll()).accessToken).not.toBe('')
    })

    it('§3.5 a watch ends with UNAVAILABLE when its server stops, and does not redeem the code', async () => {
      const { client, device, poll } = await started()
      const other = await startServer(database.url, server.keyring, server.first)
      const watch = grantsOn(other).watchDevice(client, device)
      await isPending(watch)
      const stopped = other.stop()
      const refused = await refusalOf(watch.ended)
      expect(refused).toMatchObject({ status: 'UNAVAILABLE', reason: 'OAUTH_TEMPORARILY_UNAVAILABLE' })
      expect(retryOf(refused)).toBeGreaterThan(0)
      await stopped
      await grants.approveDevice(device)
      expect((await poll()).accessToken).not.toBe('')
    })

    it('§3.5 a watch ends with invalid_client when the client is disabled', async () => {
      const { client, device } = await started()
      const watch = grants.watchDevice(client, device)
      await isPending(watch)
      await server.call(ClientService.method.disableClient, { clientId: client.clientId }, grants.bearer())
      await expect(watch.ended).rejects.toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
      expect(statesOf(watch)).toEqual([State.PENDING])
    })
  })

  describe('§5 security', () => {
    it('§5.1 limits wrong user codes per attempt key, without effect on other keys', async () => {
      const { device } = await started()
      const [guesser, other] = [server.unique('session-'), server.unique('session-')]
      for (let i = 0; i < 10; i += 1) {
        expect(await refusalOf(look(`BCDF-GHJ${'BCDFGHJKLM'.charAt(i)}`, guesser))).toMatchObject(notFound)
      }
      const refusals = [
        refusalOf(look(device.userCode, guesser)),
        refusalOf(grants.approveDevice(device, { attemptKey: guesser })),
        refusalOf(grants.denyDevice(device, { attemptKey: guesser })),
      ]
      for (const refused of await Promise.all(refusals)) {
        expect(refused).toMatchObject(limit)
        expect(refused.details.quota?.violations).toHaveLength(1)
        expect(retryOf(refused)).toBeGreaterThan(0)
      }
      expect((await look(device.userCode, other))?.state).toBe(State.PENDING)
      expect((await look(device.userCode))?.state).toBe(State.PENDING)
      server.clock.advance(61_000)
      expect((await look(device.userCode, guesser))?.state).toBe(State.PENDING)
    })

    it('§5.1 correct user codes do not count against the limit', async () => {
      const { device } = await started()
      const attemptKey = server.unique('session-')
      for (let i = 0; i < 30; i += 1) expect((await look(device.userCode, attemptKey))?.state).toBe(State.PENDING)
    })

    it('§5.1 parallel guesses do not exceed the limit', async () => {
      const attemptKey = server.unique('session-')
      const refused = await Promise.all(Array.from({ length: 20 }, () => refusalOf(look('ZZZZ-ZZZZ', attemptKey))))
      expect(refused.filter(({ reason }) => reason === 'RESOURCE_NOT_FOUND').length).toBeLessThanOrEqual(10)
    })

    it('§5.1 limits wrong user codes per front end, even with a new attempt key for each', async () => {
      const frontEnd = await server.registerClient({ scopes: ['qscope:consent'] })
      const { accessToken } = await grants.mint(frontEnd)
      const guess = (count: number) =>
        Promise.all(
          Array.from({ length: count }, () => {
            const request = { userCode: 'ZZZZ-ZZZZ', attemptKey: server.unique('session-') }
            return refusalOf(server.call(getDeviceAuthorization, request, { bearer: accessToken }))
          }),
        )
      const reasons = (await guess(110)).map(({ reason }) => reason)
      expect(reasons.filter((reason) => reason === 'LIMIT_EXCEEDED').length).toBeGreaterThanOrEqual(5)
      const { device } = await started()
      expect((await look(device.userCode))?.state).toBe(State.PENDING)
    })

    it('§5.1 limits the pending authorizations of a client, even if they are started in parallel', async () => {
      const most = { QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS: '20' }
      const other = await startServer(database.url, server.keyring, server.first, most)
      const elsewhere = grantsOn(other)
      const config = { deviceCodeTtl: seconds(60) }
      const client = await elsewhere.webClient({ grantTypes: [GrantType.DEVICE_CODE], config })
      try {
        const starts = await Promise.allSettled(Array.from({ length: 50 }, () => elsewhere.startDevice(client)))
        const devices = starts.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
        expect(devices).toHaveLength(20)
        for (const each of starts) {
          if (each.status === 'fulfilled') continue
          expect(each.reason).toMatchObject(limit)
          expect(each.reason.details.quota?.violations[0]?.subject).toBe(`client:${client.clientId}`)
          expect(retryOf(each.reason)).toBeGreaterThan(0)
        }
        const [first, second] = devices
        await elsewhere.denyDevice(first ?? { userCode: '' })
        await elsewhere.approveDevice(second ?? { userCode: '' })
        for (let i = 0; i < 2; i += 1) expect((await elsewhere.startDevice(client)).userCode).not.toBe('')
        expect(await refusalOf(elsewhere.startDevice(client))).toMatchObject(limit)
        other.clock.advance(60_000)
        expect((await elsewhere.startDevice(client)).userCode).not.toBe('')
      } finally {
        await other.stop()
      }
    })

    it('§5.1 limits the authorizations that one address starts for public clients, not for confidential ones', async () => {
      const client = await grants.deviceClient()
      const ends = await Promise.allSettled(Array.from({ length: 80 }, () => grants.startDevice(client)))
      const refused = ends.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
      expect(refused.length).toBeGreaterThan(0)
      for (const each of refused) {
        expect(each).toMatchObject(limit)
        expect(each.details.quota?.violations[0]?.subject).toBe('peer:127.0.0.1')
      }
      expect((await started()).device.userCode).not.toBe('')
      server.clock.advance(60_000)
    })

    it('§5.2 a device code contains 256 random bits', async () => {
      const codes = await Promise.all(Array.from({ length: 5 }, async () => (await started()).device.deviceCode))
      expect(new Set(codes.map((code) => code.slice(4, 47))).size).toBe(5)
    })

    it('§5.2 neither code is stored or logged; the user code is hashed with a key', async () => {
      const { device } = await started()
      const plain = device.userCode.replace('-', '')
      const text = await dump(database)
      const sha256 = (value: string) => createHash('sha256').update(value).digest().toString('latin1')
      const revealing = [device.deviceCode, device.userCode, plain, sha256(plain), sha256(device.userCode)]
      expect(revealing.filter((value) => text.includes(value))).toEqual([])
      expect(text).toContain(sha256(device.deviceCode))
      const log = JSON.stringify(server.lines)
      expect([device.deviceCode, device.userCode, plain].filter((value) => log.includes(value))).toEqual([])
    })

    it('§5.6 the device code of a public client is refused for another client', async () => {
      const [client, other] = [await grants.deviceClient(), await grants.deviceClient()]
      const device = await grants.startDevice(client)
      await grants.approveDevice(device)
      expect(await refusalOf(grants.redeemDevice(other, device))).toMatchObject(invalidGrant)
      expect((await grants.redeemDevice(client, device)).accessToken).not.toBe('')
    })
  })

  describe('§6.1 user codes', () => {
    it('§6.1 case, spaces and dashes of a user code do not matter', async () => {
      const { client, device } = await started()
      const plain = device.userCode.replace('-', '')
      for (const typed of [
        plain,
        plain.toLowerCase(),
        ` ${device.userCode} `,
        plain.split('').join(' '),
        plain.split('').join('-'),
      ]) {
        expect((await look(typed))?.clientId).toBe(client.clientId)
      }
    })

    it('§6.1 punctuation of any kind and script is ignored in a user code', async () => {
      const { client, device } = await started()
      const [one = '', two = ''] = device.userCode.split('-')
      const dashes =
        '_.:,;/|~+=*#·•\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u05be\u058a\u1806\u301c\u3030\u30a0\u30fc\uff0d\uff3f\uff70'
      const spaces = '\t\n\r\u00a0\u2002\u2007\u2009\u202f\u3000\u200b\u200e\ufeff\u00ad'
      for (const between of dashes + spaces) {
        expect([between, (await look(`${one}${between}${two}`))?.clientId]).toEqual([between, client.clientId])
      }
      for (const typed of [`«${one} – ${two}».`, `(${one.toLowerCase()})(${two})`, `__${one}__${two}__`]) {
        expect((await look(typed))?.clientId).toBe(client.clientId)
      }
      await grants.approveDevice({ userCode: `${one}_${two}` })
      expect((await grants.redeemDevice(client, device)).accessToken).not.toBe('')
    })

    it('§6.1 invalid_request: a user code that is too long with its punctuation', async () => {
      const { device } = await started()
      const refused = await refusalOf(look(device.userCode + '-'.repeat(24)))
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['user_code'] })
    })

    it('§6.1 invalid_request: a malformed user code, which does not count as an attempt', async () => {
      const attemptKey = server.unique('session-')
      for (let i = 0; i < 2; i += 1) {
        for (const typed of [
          'BCDF-GHJ',
          'BCDF-GHJKL',
          'AEIO-UAEI',
          '1234-5678',
          '--------',
          'BCDF-GHJß',
          'BCDF-GHﬀ',
          'BCDF\u0301GHJK',
          '🙂',
          'ＢＣＤＦＧＨＪＫ',
        ]) {
          const refused = await refusalOf(look(typed, attemptKey))
          expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['user_code'] })
        }
      }
    })

    it('§6.1 user codes are random, from 20 letters without vowels', async () => {
      const codes = await Promise.all(Array.from({ length: 20 }, async () => (await started()).device.userCode))
      for (const code of codes) expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
      expect(new Set(codes).size).toBe(20)
    })
  })
})
