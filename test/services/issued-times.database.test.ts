import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { expect, it } from 'vitest'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import type { IssuedToken } from '../../src/gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { ACCESS_TOKEN_TYPE, grantsOn } from '../setup/grants.ts'

const { exchangeAuthorizationCode, exchangeToken, mintToken, refreshToken } = TokenService.method

const HOUR = 3_600
const TTLS = {
  config: { refreshTokenTtl: { seconds: BigInt(HOUR) }, refreshTokenMaxLifetime: { seconds: BigInt(2 * HOUR) } },
}

const secondsOf = (time: Timestamp | undefined) => (time === undefined ? null : Number(time.seconds))

onEveryBackend('the expiry times of a refresh token and its grant', (server) => {
  const grants = grantsOn(server)
  const now = () => Math.floor(server.clock.now() / 1_000)
  const endsOf = (token: IssuedToken | undefined) => [
    secondsOf(token?.refreshTokenExpireTime),
    secondsOf(token?.grantExpireTime),
  ]
  const redeem = async (app: Awaited<ReturnType<typeof grants.webClient>>) => {
    const { code, verifier = '', redirectUri } = await grants.createCode(app)
    const request = { client: app.client, code, redirectUri, codeVerifier: verifier }
    return (await server.call(exchangeAuthorizationCode, request)).token
  }
  const between = (seconds: number | null | undefined, earliest: number, latest: number) => {
    expect(seconds).toBeGreaterThanOrEqual(earliest)
    expect(seconds).toBeLessThanOrEqual(latest)
  }

  it('follow the idle time and the grant, and a refresh extends only the former', async () => {
    const app = await grants.webClient(TTLS)
    const before = now()
    const first = await redeem(app)
    const [idle, end] = endsOf(first)
    between(idle, before + HOUR - 1, now() + HOUR)
    between(end, before + 2 * HOUR - 1, now() + 2 * HOUR)
    server.clock.advance(600_000)
    const spent = first?.refreshToken ?? ''
    const { token: second } = await server.call(refreshToken, { client: app.client, refreshToken: spent })
    const [later, sameEnd] = endsOf(second)
    expect(later).toBeGreaterThan(idle ?? 0)
    expect(sameEnd).toBe(end)
    const { token: again } = await server.call(refreshToken, { client: app.client, refreshToken: spent })
    expect([again?.refreshToken, ...endsOf(again)]).toEqual([second?.refreshToken, later, end])
  })

  it('never show a refresh token that outlives its grant', async () => {
    const app = await grants.webClient({ config: { refreshTokenMaxLifetime: { seconds: 60n } } })
    const [idle, end] = endsOf(await redeem(app))
    expect(idle).not.toBeNull()
    expect(idle).toBe(end)
  })

  it('are both in the answer to a device code', async () => {
    const device = await grants.deviceClient(TTLS)
    const started = await grants.startDevice(device)
    await grants.approveDevice(started)
    const { deviceCode } = started
    const { token } = await server.call(DeviceService.method.redeemDeviceCode, { client: device.client, deviceCode })
    expect(endsOf(token).every((time) => time !== null)).toBe(true)
  })

  it("include the grant's for a client without refresh tokens", async () => {
    const app = await grants.webClient({ grantTypes: [1] })
    const [idle, end] = endsOf(await redeem(app))
    expect(idle).toBeNull()
    expect(end).not.toBeNull()
  })

  it('are omitted without a grant', async () => {
    const service = await grants.serviceClient()
    const { token } = await server.call(mintToken, { client: service.client })
    const exchange = {
      client: service.client,
      subjectToken: token?.accessToken ?? '',
      subjectTokenType: ACCESS_TOKEN_TYPE,
    }
    const { token: exchanged } = await server.call(exchangeToken, exchange)
    expect([endsOf(token), endsOf(exchanged)]).toEqual([
      [null, null],
      [null, null],
    ])
  })
})
