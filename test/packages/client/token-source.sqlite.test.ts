import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { federatedJwt } from '../../../packages/client/src/federated-jwt.ts'
import { privateKeyJwt } from '../../../packages/client/src/private-key-jwt.ts'
import { clientCredentials } from '../../../packages/client/src/tokens/client-credentials.ts'
import { AuthenticationMethod } from '../../../src/gen/qscope/v1/client_pb.ts'
import { jwksOf, signingPair } from '../../setup/assertions.ts'
import { jwtPlatform, workload } from '../../setup/federated.ts'
import { grantsOn, isSpan } from '../../setup/grants.ts'
import { CHANNELS, errorOf, givenServer } from './given.ts'
import { startNetworkProxy } from './network-proxy.ts'

const server = givenServer()

describe.each(CHANNELS)('a token source over $transport', ({ open }) => {
  const channelTo = (address: string) => {
    const channel = open(address)
    onTestFinished(() => channel.close())
    return channel
  }
  const given = async ({ address = server().address, ...more } = {} as Given) => {
    const client = await server().registerClient({ scopes: ['orders.read', 'orders.write'], audiences: ['warehouse'] })
    const failures: unknown[] = []
    const source = clientCredentials(channelTo(address), {
      client: { clientId: client.clientId, clientSecret: client.clientSecret },
      onRenewalFailure: (error) => failures.push(error),
      ...more,
    })
    const minted = async () =>
      (await server().auditEvents({ clientId: client.clientId, eventTypes: ['token.issued'] })).length
    return { client, source, failures, minted }
  }

  it('mints one token for a hundred concurrent callers, and for later ones', async () => {
    const { source, minted } = await given()
    const tokens = await Promise.all(Array.from({ length: 100 }, () => source.token()))
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(1)
    expect((await source.token()).value).toBe(tokens[0]?.value)
    expect(await minted()).toBe(1)
  })

  it('requests the given scopes, audiences and lifetime', async () => {
    const { source } = await given({ scopes: ['orders.read'], audiences: ['warehouse'], lifetimeMs: 60_000 })
    const token = await source.token()
    expect(token).toMatchObject({ scopes: ['orders.read'], audiences: ['warehouse'] })
    expect(token.lifetimeMs / 1_000).toSatisfy(isSpan(60))
    expect(token.remainingMs()).toBeLessThanOrEqual(60_000)
  })

  it('renews a token before it expires, and never returns one that QScope refuses', async () => {
    const { source, minted } = await given({ lifetimeMs: 3_000 })
    const seen = new Set<string>()
    while (seen.size < 3) {
      const { value } = await source.token()
      seen.add(value)
      expect(await grantsOn(server()).isActive(value)).toBe(true)
      await sleep(20)
    }
    expect(await minted()).toBe(3)
  })

  it('reads the token of its platform again for each mint, since the platform replaces it', async () => {
    const platform = await jwtPlatform(server(), { singleUse: true })
    const { clientId, assertion } = await workload(server(), platform)
    const path = join(await mkdtemp(join(tmpdir(), 'qscope-assertion-')), 'token')
    await writeFile(path, `${await assertion({ jti: 'first' })}\n`)
    const source = clientCredentials(channelTo(server().address), { client: federatedJwt({ clientId, path }) })
    const first = await source.token()
    await writeFile(path, await assertion({ jti: 'next' }))
    source.discard(first.value)
    expect((await source.token()).value).not.toBe(first.value)
  })

  it('returns the current token while QScope is unreachable, reports the failure, and fails after the token expires', async () => {
    const proxy = await startNetworkProxy(server().address)
    const { source, failures } = await given({ address: proxy.address, lifetimeMs: 4_000 })
    const { value, remainingMs } = await source.token()
    proxy.down()
    while (remainingMs() > 300) {
      expect((await source.token()).value).toBe(value)
      await sleep(20)
    }
    // A renewal that waits for a connection reports its failure only after its timeout.
    await expect
      .poll(async () => {
        await source.token().catch(() => null)
        return failures.length
      })
      .toBeGreaterThan(0)
    await sleep(Math.max(0, remainingMs()))
    const error = await errorOf(source.token())
    expect(error).toMatchObject({ status: 'UNAVAILABLE', reason: null, isTemporary: true })
    await proxy.up()
    await expect.poll(async () => (await source.token().catch(() => null))?.value, { timeout: 15_000 }).toMatch(/^qat_/)
  })

  it('rejects for a caller that aborts, and still returns the token to the others', async () => {
    const proxy = await startNetworkProxy(server().address)
    const { source } = await given({ address: proxy.address })
    const gone = new AbortController()
    const [one, other] = [source.token({ signal: gone.signal }), source.token()]
    gone.abort(new Error('enough'))
    await expect(one).rejects.toThrow('enough')
    expect((await other).value).toMatch(/^qat_/)
    await expect(source.token({ signal: gone.signal })).rejects.toThrow('enough')
  })

  it('gets another token after a refusal, but only once if the next one is refused, too', async () => {
    const { source, minted } = await given()
    const first = await source.token()
    source.discard(first.value)
    const second = await source.token()
    expect(second.value).not.toBe(first.value)
    source.discard(first.value)
    source.discard(second.value)
    expect((await source.token()).value).toBe(second.value)
    expect(await minted()).toBe(2)
  })

  it('fails with the reason of the refusal', async () => {
    const wrong = await errorOf((await given({ scopes: ['orders.delete'] })).source.token())
    expect(wrong).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'OAUTH_INVALID_SCOPE',
      oauthError: 'invalid_scope',
      metadata: { rejected_scopes: 'orders.delete' },
    })
    const { client } = await given()
    const guessing = clientCredentials(channelTo(server().address), {
      client: { clientId: client.clientId, clientSecret: 'wrong' },
    })
    expect(await errorOf(guessing.token())).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_CLIENT' })
  })

  it('reads the secret again for each request, so that it can be rotated', async () => {
    const { client } = await given()
    const secrets = ['wrong', client.clientSecret]
    const source = clientCredentials(channelTo(server().address), {
      client: { clientId: client.clientId, clientSecret: async () => secrets.shift() ?? '' },
    })
    expect((await errorOf(source.token())).reason).toBe('OAUTH_INVALID_CLIENT')
    expect((await source.token()).value).toMatch(/^qat_/)
  })

  it('authenticates by a private key, with a new assertion for each request', async () => {
    const pair = signingPair('ES256')
    const { clientId } = await server().registerClient({
      authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
      jwks: jwksOf(pair),
      scopes: ['a'],
    })
    const { issuer } = server()
    const client = privateKeyJwt({ clientId, issuer, key: pair.privateKey, algorithm: 'ES256', keyId: pair.kid })
    for (let round = 0; round < 2; round += 1) {
      expect((await clientCredentials(channelTo(server().address), { client }).token()).scopes).toEqual(['a'])
    }
  })
})

interface Given {
  readonly address?: string
  readonly scopes?: readonly string[]
  readonly audiences?: readonly string[]
  readonly lifetimeMs?: number
}
