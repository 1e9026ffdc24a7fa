import { describe, expect, it, onTestFinished } from 'vitest'
import type { Channel } from '../../../packages/client/src/channel.ts'
import { QScopeError } from '../../../packages/client/src/qscope-error.ts'
import { cachingVerifier } from '../../../packages/client/src/verification/caching/caching-verifier.ts'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { KeyService } from '../../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { grantsOn } from '../../setup/grants.ts'
import { JWT, partOf } from '../../setup/jwt.ts'
import { CHANNELS, givenServer } from './given.ts'
import { startNetworkProxy } from './network-proxy.ts'

const AUDIENCE = 'https://warehouse.internal'
/** The shortest bound that a verifier accepts. */
const BOUND_MS = 1_000
const server = givenServer()

const FORMATS = [
  { tokens: 'opaque tokens', config: {}, issuer: () => undefined, questions: 1 },
  { tokens: 'JWTs', config: JWT, issuer: () => server().issuer, questions: 0 },
]

const CASES = CHANNELS.flatMap((channel) => FORMATS.map((format) => ({ ...channel, ...format })))

describe.each(CASES)('a caching verifier of $tokens, over $transport', ({ open, config, issuer, questions }) => {
  const given = async ({ boundMs = 10_000, wrap = (channel: Channel) => channel } = {}) => {
    const grants = grantsOn(server())
    const audience = server().unique(`${AUDIENCE}/`)
    const caller = await server().registerClient({ resourceAudiences: [audience] })
    const client = await server().registerClient({ scopes: ['orders.read'], audiences: [audience], config })
    const proxy = await startNetworkProxy(server().address)
    const channel = open(proxy.address)
    onTestFinished(() => channel.close())
    const verifier = cachingVerifier(wrap(channel), { caller, audience, issuer: issuer(), boundMs })
    onTestFinished(() => verifier.close())
    await expect.poll(() => verifier.state.isCurrent).toBe(true)
    const mint = async () => (await grants.mint(client, { audiences: [audience] })).accessToken
    const from = server().lines.length
    return {
      grants,
      audience,
      client,
      proxy,
      verifier,
      mint,
      verify: (value: string) => verifier.verify({ value, certificate: null }),
      /** The number of verifications that the server was asked for. */
      asked: () =>
        server()
          .lines.slice(from)
          .filter(({ method, code }) => String(method).endsWith('VerifyToken') && code !== undefined).length,
      revoke: (token: string) => server().call(TokenService.method.revokeToken, { client: client.client, token }),
    }
  }

  it('asks about a token at most once, until it is revoked', async () => {
    const { mint, verify, asked, revoke, client } = await given()
    const [token, other] = [await mint(), await mint()]
    for (let n = 0; n < 50; n += 1) expect(await verify(token)).toMatchObject({ clientId: client.clientId })
    expect(await verify(other)).not.toBeNull()
    expect(asked()).toBe(2 * questions)
    await revoke(token)
    await expect.poll(() => verify(token)).toBeNull()
    expect(await verify(other)).not.toBeNull()
    expect(asked()).toBe(2 * questions + 1)
  })

  it('refuses the tokens of a disabled client, and accepts them again when the client is enabled', async () => {
    const { mint, verify, client } = await given()
    const token = await mint()
    const bearer = { bearer: server().admin.token }
    for (let n = 0; n < 2; n += 1) {
      expect(await verify(token)).not.toBeNull()
      await server().call(ClientService.method.disableClient, { clientId: client.clientId }, bearer)
      await expect.poll(() => verify(token)).toBeNull()
      await server().call(ClientService.method.enableClient, { clientId: client.clientId }, bearer)
      expect(await verify(token)).not.toBeNull()
    }
  })

  it('refuses an access token that was revoked because its refresh token was reused', async () => {
    const { grants, audience, verify } = await given()
    const client = await grants.webClient({
      audiences: [audience],
      config: { ...config, refreshTokenReplayWindow: { seconds: 0n } },
    })
    const first = await grants.signIn(client, { audiences: [audience] })
    const { accessToken } = await grants.refresh(client, first.refreshToken)
    expect(await verify(accessToken)).not.toBeNull()
    await expect(grants.refresh(client, first.refreshToken)).rejects.toThrow()
    await expect.poll(() => verify(accessToken)).toBeNull()
  })

  it('verifies without QScope until its bound, then fails, and recovers when QScope is back', async () => {
    const { mint, verify, proxy, verifier } = await given({ boundMs: BOUND_MS })
    const token = await mint()
    expect(await verify(token)).not.toBeNull()
    const down = performance.now()
    proxy.down()
    const lasted = await timeUntilItThrows(() => verify(token), down)
    expect(lasted).toBeLessThanOrEqual(10 * BOUND_MS)
    await proxy.up()
    await expect.poll(() => verifier.state.isCurrent, { timeout: 30_000 }).toBe(true)
    expect(await verify(token)).not.toBeNull()
  })

  it('refuses a token that was revoked while QScope was unreachable', async () => {
    const { mint, verify, proxy, revoke, verifier } = await given({ boundMs: BOUND_MS })
    const [token, other] = [await mint(), await mint()]
    for (const each of [token, other]) expect(await verify(each)).not.toBeNull()
    proxy.down()
    await revoke(token)
    await timeUntilItThrows(() => verify(token), performance.now())
    await proxy.up()
    await expect.poll(() => verifier.state.isCurrent, { timeout: 30_000 }).toBe(true)
    expect(await verify(token)).toBeNull()
    expect(await verify(other)).not.toBeNull()
  })

  it('is no longer current when calls are sent but not answered', async () => {
    const { mint, verify, proxy, verifier } = await given({ boundMs: BOUND_MS })
    const token = await mint()
    expect(await verify(token)).not.toBeNull()
    proxy.swallowAnswers()
    await expect.poll(() => verifier.state.isCurrent, { timeout: 10 * BOUND_MS }).toBe(false)
    proxy.cut()
    await expect.poll(() => verifier.state.isCurrent, { timeout: 30_000 }).toBe(true)
    expect(await verify(token)).not.toBeNull()
  })

  it('does not keep an answer that arrives after the revocation of its token', async () => {
    const held = Promise.withResolvers<void>()
    const { mint, verify, revoke, verifier } = await given({
      wrap: (channel) => withLateAnswers(channel, held.promise),
    })
    const token = await mint()
    // A JWT is accepted because of the history of revocations, and would be accepted because of the answer, too.
    const before = verify(token)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const { revocations } = verifier.state
    await revoke(token)
    await expect.poll(() => verifier.state.revocations).toBeGreaterThan(revocations)
    const after = verify(token)
    held.resolve()
    expect(await before).not.toBeNull()
    expect(await after).toBeNull()
    expect(await verify(token)).toBeNull()
  })

  it('verifies no token after it is closed', async () => {
    const { mint, verify, verifier } = await given()
    const token = await mint()
    expect(await verify(token)).not.toBeNull()
    verifier.close()
    await expect(verify(token)).rejects.toThrow('closed')
    expect(verifier.state).toMatchObject({ isCurrent: false, answers: 0 })
  })
})

describe('a caching verifier of JWTs', () => {
  it('refuses a JWT whose signing key is revoked', async () => {
    const channel = CHANNELS[0]?.open(server().address)
    if (channel === undefined) throw new Error('there is no channel')
    onTestFinished(() => channel.close())
    const caller = await server().registerClient({ resourceAudiences: ['https://stock.internal'] })
    const client = await server().registerClient({ audiences: ['https://stock.internal'], config: JWT })
    const { accessToken: value } = await grantsOn(server()).mint(client, { audiences: ['https://stock.internal'] })
    const verifier = cachingVerifier(channel, { caller, audience: 'https://stock.internal', issuer: server().issuer })
    onTestFinished(() => verifier.close())
    await expect.poll(() => verifier.state.acceptsOffline).toBe(true)
    expect(await verifier.verify({ value, certificate: null })).not.toBeNull()
    const request = { keyId: String(partOf(value, 0)['kid']), reason: 'lost' }
    await server().call(KeyService.method.revokeSigningKey, request, { bearer: server().admin.token })
    await expect.poll(() => verifier.verify({ value, certificate: null })).toBeNull()
  })
})

/** The milliseconds from `since` until a use fails because the token cannot be verified. */
async function timeUntilItThrows(use: () => Promise<unknown>, since: number): Promise<number> {
  for (;;) {
    try {
      expect(await use()).not.toBeNull()
    } catch (error) {
      if (!(error instanceof QScopeError)) throw error
      expect(error.isTemporary).toBe(true)
      return performance.now() - since
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Delays the answers to verifications, but not those to polls. */
function withLateAnswers(channel: Channel, until: Promise<void>): Channel {
  const unary: Channel['unary'] = async (method, request, options) => {
    const answer = await channel.unary(method, request, options)
    if (method.name === TokenService.method.verifyToken.name) await until
    return answer
  }
  return { ...channel, unary }
}
