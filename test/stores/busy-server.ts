import { expect } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { grantsOn } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

/** Many callers that repeat calls to all methods that read or write a table. */
export function keepWorking(server: TestServer, callerCount: number) {
  const grants = grantsOn(server)
  const bearer = grants.bearer()
  const failures: unknown[] = []
  let done = 0
  let stopped = false
  const round = async () => {
    const web = await grants.webClient()
    const { accessToken, refreshToken } = await grants.signIn(web)
    const rotated = await grants.refresh(web, refreshToken)
    for (const token of [accessToken, rotated.accessToken]) expect(await grants.isActive(token)).toBe(true)
    const device = await grants.deviceClient()
    const started = await grants.startDevice(device)
    await grants.approveDevice(started)
    await grants.redeemDevice(device, started)
    const { user } = await server.call(UserService.method.registerUser, { externalId: server.unique('u-') }, bearer)
    const id = { case: 'userId' as const, value: user?.userId ?? '' }
    expect((await server.call(UserService.method.getUser, { id }, bearer)).user).toEqual(user)
    await server.call(ClientService.method.getClient, { clientId: web.clientId }, bearer)
    expect((await server.auditEvents({ clientId: web.clientId })).length).toBeGreaterThan(0)
    done += 1
  }
  const caller = async () => {
    try {
      while (!stopped) await round()
    } catch (error) {
      failures.push(error)
    }
  }
  const callers = Array.from({ length: callerCount }, caller)
  return {
    /** Waits for a number of further answers. */
    rounds: async (count: number) => {
      const wanted = done + count
      await expect.poll(() => failures.length > 0 || done >= wanted, { timeout: 20_000 }).toBe(true)
      expect(failures).toEqual([])
    },
    /** The errors since the start. */
    stop: async () => {
      stopped = true
      await Promise.all(callers)
      return failures
    },
  }
}
