import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { DeviceAuthorizationState as State } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { Refused } from '../setup/client.ts'
import { onEveryKind } from '../setup/every-kind.ts'
import { tokensOf } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'
import { redemptionLoad } from './every-redemption.ts'
import { restartableServer } from './restartable-server.ts'

const WATCHES = scaled(200, 16)
const LOAD_MS = 500

/** The result of a call, or that a stopping server refused it. */
async function unlessStopping<T>(call: Promise<T>): Promise<T | 'refused'> {
  try {
    return await call
  } catch (error) {
    expect(error).toBeInstanceOf(Refused)
    expect(error).toMatchObject({ status: 'UNAVAILABLE' })
    return 'refused'
  }
}

onEveryKind('a server on $name asked to stop under load', (kind) => {
  it('answers accepted calls: refused calls changed nothing, and the next server answers them', async () => {
    const server = await restartableServer(kind)
    let running = await server.start()
    const load = await redemptionLoad(server)
    const { grants, client } = load
    const ending = load.untilItEnds()
    await sleep(LOAD_MS)
    running.child.kill('SIGTERM')
    const { codes, devices } = await ending
    expect(await running.ended).toEqual({ code: 0, signal: null })
    expect(load.undeserved).toEqual([])

    // An accepted and dropped call would have an effect without an answer.
    const [row] = await server.database.query(
      `select count(*) as n from oauth_access_tokens where client_id = '${client.clientId}'`,
    )
    const spent = [...codes, ...devices]
    const answered = spent.filter(({ tokens }) => tokens !== null).length
    expect(Number(row?.['n'])).toBe(load.active.size + load.toRevoke.size + answered)

    running = await server.start()
    for (const { what, tokens } of codes) {
      if (tokens === null) expect((await grants.exchangeCode(client, what)).accessToken).toMatch(/^qat_/)
    }
    for (const { what, tokens } of devices) {
      if (tokens === null) expect((await grants.redeemDevice(client, what)).accessToken).toMatch(/^qat_/)
    }
    for (const { refreshTokens } of load.families) {
      expect((await grants.refresh(client, refreshTokens.at(-1) ?? '')).accessToken).toMatch(/^qat_/)
    }
    running.child.kill('SIGTERM')
    expect((await running.ended).code).toBe(0)
  }, 300_000)

  it('ends a watch before a redemption or after its delivery, never in between', async () => {
    const server = await restartableServer(kind)
    let running = await server.start()
    const { grants, client } = await redemptionLoad(server)
    const devices = await Promise.all(Array.from({ length: WATCHES }, () => grants.startDevice(client)))
    const watches = devices.map((device) => grants.watchDevice(client, device))
    const ends = watches.map(({ ended }) => unlessStopping(ended.then(() => 'told' as const)))
    while (watches.some(({ items }) => items.length === 0)) await sleep(10)
    let told = 0
    for (const { ended } of watches) {
      void ended.then(
        () => {
          told += 1
        },
        () => undefined,
      )
    }
    const stopping = Promise.withResolvers<void>()
    const approvals = devices.map(async (device, n) => {
      // One after the other, so that the stop comes between them; the second half starts with it.
      if (n >= WATCHES / 2) await stopping.promise
      await sleep((800 * n) / WATCHES)
      return await unlessStopping(grants.approveDevice(device).then(() => 'approved' as const))
    })
    await expect.poll(() => told).toBeGreaterThanOrEqual(WATCHES / 4)
    running.child.kill('SIGTERM')
    stopping.resolve()
    const [approved, ended] = await Promise.all([Promise.all(approvals), Promise.all(ends)])
    expect(await running.ended).toEqual({ code: 0, signal: null })
    expect(ended).toContain('told')
    expect(ended).toContain('refused')

    running = await server.start()
    for (const [n, device] of devices.entries()) {
      const last = watches[n]?.items.at(-1)
      if (ended[n] === 'told') {
        expect(last?.state).toBe(State.APPROVED)
        expect(await grants.isActive(tokensOf(last?.token).accessToken)).toBe(true)
      } else {
        expect(last?.state).toBe(State.PENDING)
        if (approved[n] === 'refused') await grants.approveDevice(device)
        expect((await grants.redeemDevice(client, device)).accessToken).toMatch(/^qat_/)
      }
    }
    running.child.kill('SIGTERM')
    expect((await running.ended).code).toBe(0)
  }, 300_000)
})
