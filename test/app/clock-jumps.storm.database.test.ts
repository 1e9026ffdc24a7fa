import { expect, test, vi } from 'vitest'
import { epochMs } from '../../src/domain/ids.ts'
import { AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { DeviceAuthorizationState as State } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { KeyService, SigningKeyState } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { JWT } from '../setup/jwt.ts'
import { scaled } from '../setup/scale.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const HALF_AN_HOUR = { seconds: 1_800n }
const JUMPS = scaled(100, 4)
const MINTS = 20

onEveryBackend(
  'a clock that jumps',
  (server, database) => {
    const grants = grantsOn(server)
    const jump = (ms: number) => server.clock.advance(ms)
    /** Does something an hour ahead, and puts the clock back. */
    async function ahead<T>(work: () => Promise<T>): Promise<T> {
      jump(HOUR)
      try {
        server.admin.token = (await grants.mint(server.admin)).accessToken
        return await work()
      } finally {
        jump(-HOUR)
      }
    }
    const auditIsIntact = async () => (await server.call(AuditService.method.verifyAuditLog, {}, grants.bearer())).valid

    test('judges tokens by what it says: ended an hour ahead, good again when it is put back', async () => {
      const client = await grants.webClient({ config: { accessTokenTtl: HALF_AN_HOUR } })
      const before = await grants.signIn(client)
      const [seenAhead, made] = await ahead(async () => {
        // What has ended is kept for the retention, so that a clock may be wrong by that.
        await server.app.purge.round()
        return [await grants.isActive(before.accessToken), await grants.signIn(client)] as const
      })
      expect(seenAhead).toBe(false)
      expect(await grants.isActive(before.accessToken)).toBe(true)
      expect(await grants.isActive(made.accessToken)).toBe(true)
      expect((await grants.refresh(client, made.refreshToken)).accessToken).toMatch(/^qat_/)
      expect((await grants.refresh(client, before.refreshToken)).accessToken).toMatch(/^qat_/)
    })

    test(`serves while it jumps, ids stay unique and the audit log intact (${JUMPS} of 100 jumps)`, async () => {
      const client = await grants.serviceClient()
      const ids: string[] = []
      const minting = async () => {
        for (let n = 0; n < MINTS; n += 1) ids.push((await grants.mint(client)).tokenId)
      }
      for (let n = 0; n < JUMPS; n += 1) {
        const minted = minting()
        jump(n % 2 === 0 ? HOUR : -HOUR)
        await Promise.all([minted, minting()])
      }
      expect(new Set(ids).size).toBe(JUMPS * 2 * MINTS)
      const [row] = await database.query(
        `select count(*) as n, count(distinct event_id) as different from oauth_audit_log
         where event_type = 'token.issued' and client_id = '${client.clientId}'`,
      )
      expect([Number(row?.['n']), Number(row?.['different'])]).toEqual([ids.length, ids.length])
      expect(await auditIsIntact()).toBe(true)
    })

    test('purges again after it was put back, though the purge an hour ahead died with its lease', async () => {
      const { maintenance } = server.app.backend
      await ahead(async () => {
        const now = server.clock.now()
        expect(await maintenance.acquireLease('purge', 'died', now, epochMs(now + 90_000))).toBe(true)
      })
      expect(await server.app.purge.round()).not.toBeNull()
    })

    test('refills what limits wrong user codes after it was put back', async () => {
      const wrong = async () =>
        await refusalOf(grants.approveDevice({ userCode: 'BBBB-BBBB' }, { attemptKey: 'someone' }))
      await ahead(async () => {
        for (let n = 0; n < 12; n += 1) await wrong()
        expect((await wrong()).reason).toBe('LIMIT_EXCEEDED')
      })
      await wrong()
      jump(MINUTE)
      expect((await wrong()).reason).toBe('RESOURCE_NOT_FOUND')
      jump(-MINUTE)
    })

    test('takes no poll of a device for too fast because the last one lies ahead', async () => {
      const device = await grants.deviceClient()
      const started = await ahead(async () => {
        const codes = await grants.startDevice(device)
        expect((await refusalOf(grants.redeemDevice(device, codes))).reason).toBe('OAUTH_DEVICE_AUTHORIZATION_PENDING')
        return codes
      })
      const poll = () => refusalOf(grants.redeemDevice(device, started))
      expect((await poll()).reason).toBe('OAUTH_DEVICE_AUTHORIZATION_PENDING')
      expect((await poll()).reason).toBe('OAUTH_DEVICE_SLOW_DOWN')
    })

    test('a watch goes on beating and is told when it was put back', async () => {
      const device = await grants.deviceClient()
      const { started, watch } = await ahead(async () => {
        const codes = await grants.startDevice(device)
        const watching = grants.watchDevice(device, codes)
        await vi.waitFor(() => expect(watching.items).toHaveLength(1), { timeout: 60_000 })
        return { started: codes, watch: watching }
      })
      await vi.waitFor(() => expect(watch.items).toHaveLength(2), { timeout: 60_000 })
      await grants.approveDevice(started)
      await watch.ended
      expect(watch.items.at(-1)?.state).toBe(State.APPROVED)
    })

    test('rotates the signing key in its time after a jump beyond it and back', async () => {
      const service = await grants.serviceClient({ config: JWT })
      const active = async () => {
        const request = { state: SigningKeyState.ACTIVE, pageSize: 100 }
        const bearer = (await grants.mint(server.admin)).accessToken
        const { keys } = await server.call(KeyService.method.listSigningKeys, request, { bearer })
        return keys.map(({ keyId }) => keyId)
      }
      const { accessToken } = await grants.mint(service)
      const before = await active()
      expect(before).toHaveLength(1)
      jump(30 * DAY - HOUR)
      expect(await server.app.keyRotation.round()).toBe('prepared')
      jump(-HOUR)
      expect(await server.app.keyRotation.round()).toBe('nothing')
      expect(await active()).toEqual(before)
      jump(2 * HOUR + MINUTE)
      expect(await server.app.keyRotation.round()).toBe('activated')
      jump(-30 * DAY - MINUTE)
      expect(await server.app.keyRotation.round()).toBe('nothing')
      expect(await active()).toHaveLength(1)
      server.admin.token = (await grants.mint(server.admin)).accessToken
      expect(await grants.isActive(accessToken)).toBe(true)
      expect(await grants.isActive((await grants.mint(service)).accessToken)).toBe(true)
      expect(await auditIsIntact()).toBe(true)
    })
  },
  { variables: { QSCOPE_SIGNING_KEY_ROTATION: '30d' } },
)
