import { expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { ErrorReason } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { FindingState, ServerService } from '../../src/gen/qscope/v1/server_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'

const { getServerStatus } = ServerService.method
const { mintToken, introspectToken } = TokenService.method

onEveryBackend('GetServerStatus', (server) => {
  const status = () => server.call(getServerStatus, {}, { bearer: server.admin.token })

  it("returns version, health and the doctor's findings about the open database", async () => {
    const { version, serving, startTime, examineTime, findings } = await status()
    expect({ version, serving }).toEqual({ version: manifest.version, serving: true })
    expect(Number(startTime?.seconds)).toBeLessThanOrEqual(Number(examineTime?.seconds))
    const of = (check: string) => findings.find((each) => each.check === check)
    expect(of('schema')).toMatchObject({ state: FindingState.OK, finding: expect.stringMatching(/^fits this version/) })
    expect(of('health')).toMatchObject({ state: FindingState.OK, finding: expect.stringContaining('reads and writes') })
    expect(of('keys')?.state).toBe(FindingState.OK)
    expect(of('audit log')).toMatchObject({ state: FindingState.OK, advice: '' })
    expect(of('database version')?.finding).toMatch(/\d+\.\d+/)
    expect(findings.filter(({ check }) => check === 'listener')).toEqual([])
    expect(findings.filter(({ state }) => state === FindingState.PROBLEM)).toEqual([])
  })

  it('counts calls by method, and refusals by reason', async () => {
    const before = await status()
    const { client } = await server.registerClient({ scopes: ['orders'] })
    for (let calls = 0; calls < 3; calls += 1) await server.call(mintToken, { client })
    await refusalOf(server.call(mintToken, { client, scopes: ['other'] }))
    const after = await status()
    const calls = (of: typeof after) =>
      Number(of.calls.find(({ method }) => method === 'qscope.v1.TokenService/MintToken')?.count ?? 0n)
    const refusals = (of: typeof after) =>
      Number(of.refusals.find(({ reason }) => reason === ErrorReason.OAUTH_INVALID_SCOPE)?.count ?? 0n)
    expect(calls(after) - calls(before)).toBe(4)
    expect(refusals(after) - refusals(before)).toBe(1)
    expect(after.calls.map(({ count }) => Number(count))).toEqual(
      after.calls.map(({ count }) => Number(count)).toSorted((a, b) => b - a),
    )
    const seconds = Number(after.rateWindow?.seconds) + (after.rateWindow?.nanos ?? 0) / 1e9
    const minted = after.calls.find(({ method }) => method === 'qscope.v1.TokenService/MintToken')
    expect((minted?.perSecond ?? 0) * seconds).toBeCloseTo(Number(minted?.count), 1)
    expect(after.calls.some(({ method }) => method.endsWith(introspectToken.name))).toBe(false)
  })

  it('shows no secrets of a database URL or a keyring', async () => {
    const answer = await status()
    const text = JSON.stringify(answer, (_key, value) => (typeof value === 'bigint' ? String(value) : value))
    expect(text).not.toMatch(/:\/\/[^*"]*:[^*"]+@/)
    expect(text).not.toContain(server.admin.clientSecret)
  })

  it('requires qscope:server.read', async () => {
    const bearerWith = async (scope: string) => {
      const { client } = await server.registerClient({ scopes: [scope] })
      return (await server.call(mintToken, { client })).token?.accessToken ?? ''
    }
    const allowed = await bearerWith('qscope:server.read')
    expect((await server.call(getServerStatus, {}, { bearer: allowed })).version).toBe(manifest.version)
    const other = await bearerWith('qscope:audit.read')
    const refusal = await refusalOf(server.call(getServerStatus, {}, { bearer: other }))
    expect(refusal).toMatchObject({ reason: 'OAUTH_INSUFFICIENT_SCOPE' })
  })

  it('examines once for concurrent calls', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, status))
    expect(new Set(answers.map(({ examineTime }) => `${examineTime?.seconds}.${examineTime?.nanos}`)).size).toBe(1)
  })
})
