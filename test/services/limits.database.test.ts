import { expect, it } from 'vitest'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceAuthorizationState as State } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { type Refused, refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'
import { CI, trustedIssuers } from '../setup/trusted-issuers.ts'

const { mintToken, batchMintTokens, exchangeAssertion, revokeTokens } = TokenService.method
const { createTrustedIssuer, deleteTrustedIssuer, listTrustedIssuers, updateTrustedIssuer } = TrustService.method
const issuers = await trustedIssuers(suiteFolder())

/** What every refusal of a limit says: whose it is, which, and when to come back. */
function expectLimit(refused: Refused, subject: string, which: RegExp): number {
  expect(refused).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_EXCEEDED' })
  expect(refused.details.quota?.violations).toHaveLength(1)
  expect(refused.details.quota?.violations[0]).toMatchObject({ subject, description: expect.stringMatching(which) })
  const { seconds = 0n, nanos = 0 } = refused.details.retry?.retryDelay ?? {}
  const waitMs = Number(seconds) * 1_000 + nanos / 1e6
  expect(waitMs).toBeGreaterThan(0)
  return waitMs
}

const minting = (server: TestServer) => {
  const grants = grantsOn(server)
  const newClient = () =>
    server.registerClient({
      grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.TOKEN_EXCHANGE],
      scopes: ['orders'],
    })
  type Client = Awaited<ReturnType<typeof newClient>>
  const mint = ({ client }: Client) => server.call(mintToken, { client })
  const batch = ({ client }: Client, count: number) =>
    server.call(batchMintTokens, { client, requests: Array.from({ length: count }, () => ({ scopes: ['orders'] })) })
  const issued = async ({ clientId }: Client) =>
    (await server.auditEvents({ clientId, eventTypes: ['token.issued', 'token.exchanged'] })).length

  it('continues at its rate, and is refused beyond it before anything is written', async () => {
    const client = await newClient()
    const ends = await Promise.allSettled(Array.from({ length: 30 }, () => mint(client)))
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
    const waitMs = expectLimit(await refusalOf(mint(client)), `client:${client.clientId}`, /mints tokens too fast/)
    expect(await issued(client)).toBe(20)
    server.clock.advance(waitMs)
    await mint(client)
  })

  it('counts a batch by its tokens, and one larger than the burst once the bucket is full', async () => {
    const client = await newClient()
    await batch(client, 15)
    expectLimit(await refusalOf(batch(client, 6)), `client:${client.clientId}`, /mints tokens too fast/)
    await batch(client, 5)
    server.clock.advance(60_000)
    expect((await batch(client, 30)).results).toHaveLength(30)
    expectLimit(await refusalOf(mint(client)), `client:${client.clientId}`, /mints tokens too fast/)
    expect(await issued(client)).toBe(50)
  })

  it('is not charged for requests that are refused for another reason', async () => {
    const client = await newClient()
    const wrong = Array.from({ length: 50 }, () => ({ scopes: ['other'] }))
    await server.call(batchMintTokens, { client: client.client, requests: wrong })
    await batch(client, 20)
  })

  it('counts exchanges, too, and each client separately', async () => {
    const [client, other] = [await newClient(), await newClient()]
    const { accessToken } = await grants.mint(client)
    await batch(client, 19)
    const refused = await refusalOf(grants.exchangeToken(client, accessToken))
    expectLimit(refused, `client:${client.clientId}`, /mints tokens too fast/)
    await mint(other)
  })
}
onEveryBackend('minting', minting, { variables: { QSCOPE_MINT_RATE: '1/s:20' } })

const asserting = (server: TestServer) => {
  const job = (jti = server.unique('job-')) =>
    signed(issuers.ci, { iss: CI, sub: 'job', aud: server.issuer, exp: inSeconds(300), jti })
  const exchange = async (assertion: Promise<string>) => server.call(exchangeAssertion, { assertion: await assertion })

  it('does not charge a client for assertions that were used before', async () => {
    await server.registerClient({ clientId: 'ci-runner', scopes: ['deploy'], grantTypes: [GrantType.JWT_BEARER] })
    const used = job()
    await exchange(used)
    for (let replay = 0; replay < 10; replay += 1) {
      expect((await refusalOf(exchange(used))).reason).toBe('OAUTH_INVALID_GRANT')
    }
    await exchange(job())
    expectLimit(await refusalOf(exchange(job())), 'client:ci-runner', /mints tokens too fast/)
  })
}
onEveryBackend('minting by assertions', asserting, {
  variables: { QSCOPE_MINT_RATE: '1/m:2', QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file },
})

const living = (server: TestServer) => {
  it('are limited for each client, approximately, until some have expired', async () => {
    const client = await server.registerClient({ scopes: ['orders'] })
    const lifetime = { seconds: 60n, nanos: 0 }
    const mint = () => server.call(mintToken, { client: client.client, lifetime })
    const ends = await Promise.allSettled(Array.from({ length: 30 }, mint))
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(25)
    const waitMs = expectLimit(await refusalOf(mint()), `client:${client.clientId}`, /about 25 live access tokens/)
    expect(waitMs).toBeLessThanOrEqual(60_000)
    server.clock.advance(waitMs)
    expectLimit(await refusalOf(mint()), `client:${client.clientId}`, /about 25 live access tokens/)
    server.clock.advance(120_000)
    await mint()
    await server.call(mintToken, { client: server.admin.client })
  })

  it('are counted soon, also after the clock was set back', async () => {
    const client = await server.registerClient({ scopes: ['orders'] })
    const mint = () => server.call(mintToken, { client: client.client })
    await Promise.all(Array.from({ length: 25 }, mint))
    server.clock.advance(-3_600_000)
    const target = { case: 'clientId' as const, value: client.clientId }
    await server.call(revokeTokens, { target }, { bearer: server.admin.token })
    await mint()
    server.clock.advance(3_600_000)
  })
}
onEveryBackend('live tokens', living, { variables: { QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT: '25' } })

const authenticating = (server: TestServer) => {
  const peer = 'peer:127.0.0.1'
  const wrong = (clientId: string) => ({
    clientId,
    method: { case: 'clientSecret' as const, value: `qcs_${'x'.repeat(49)}` },
  })
  const guess = (clientId: string) => refusalOf(server.call(mintToken, { client: wrong(clientId) }))
  const guesses = async (clientId: string, count: number) => {
    for (let at = 0; at < count; at += 1) expect((await guess(clientId)).reason).toBe('OAUTH_INVALID_CLIENT')
  }

  it('is refused after too many failures, for existing and other ids alike, and recovers later', async () => {
    const { clientId } = await server.registerClient({})
    for (const id of [clientId, server.unique('nobody-')]) {
      await guesses(id, 5)
      const waitMs = expectLimit(await guess(id), peer, /failed client authentications from this address/)
      server.clock.advance(waitMs)
      expect((await guess(id)).reason).toBe('OAUTH_INVALID_CLIENT')
    }
    server.clock.advance(600_000)
  })

  it('is never refused to a client that recently used the right secret, whatever its address does', async () => {
    const { clientId, client } = await server.registerClient({ scopes: ['orders'] })
    await server.call(mintToken, { client })
    await guesses(clientId, 5)
    expectLimit(await guess(clientId), peer, /failed/)
    await server.call(mintToken, { client })
    expectLimit(await guess(clientId), peer, /failed/)
    server.clock.advance(600_000)
  })

  it('is refused to an address that tries many ids, but not to known clients there', async () => {
    const { client } = await server.registerClient({ scopes: ['orders'] })
    await server.call(mintToken, { client })
    for (let at = 0; at < 12; at += 1) await guesses(server.unique('nobody-'), 1)
    expectLimit(await guess(server.unique('nobody-')), peer, /failed/)
    await server.call(mintToken, { client })
    server.clock.advance(600_000)
  })

  it('counts an outdated secret as a guess', async () => {
    const { clientId, client } = await server.registerClient({ scopes: ['orders'] })
    await server.call(mintToken, { client })
    await server.call(ClientService.method.rotateClientSecret, { clientId }, { bearer: server.admin.token })
    for (let at = 0; at < 5; at += 1) {
      expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
    }
    expectLimit(await refusalOf(server.call(mintToken, { client })), peer, /failed/)
    server.clock.advance(600_000)
  })
}
onEveryBackend('client authentication', authenticating, {
  variables: { QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: '1/m:5', QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: '2/m:12' },
})

const devices = (server: TestServer) => {
  const grants = grantsOn(server)
  const peer = 'peer:127.0.0.1'

  it('of public clients may be pending from one address up to a share, until they are decided', async () => {
    const client = await grants.deviceClient()
    const ends = await Promise.allSettled(Array.from({ length: 12 }, () => grants.startDevice(client)))
    const started = ends.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    expect(started).toHaveLength(5)
    expectLimit(
      await refusalOf(grants.startDevice(client)),
      peer,
      /at most 5 pending device authorizations from one address/,
    )
    await grants.denyDevice(started[0] ?? { userCode: '' })
    await grants.startDevice(client)
    expectLimit(await refusalOf(grants.startDevice(client)), peer, /at most 5 pending device authorizations/)
    await grants.startDevice(await grants.deviceClient())
    server.clock.advance(601_000)
    await grants.startDevice(client)
  })

  it('of a confidential client are not counted by address', async () => {
    const client = await grants.webClient({ grantTypes: [GrantType.DEVICE_CODE], type: ClientType.CONFIDENTIAL })
    for (let at = 0; at < 8; at += 1) await grants.startDevice(client)
  })

  it('are started by public clients from one address at its rate', async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => grants.deviceClient()))
    const starts = clients.flatMap((client) => Array.from({ length: 5 }, () => grants.startDevice(client)))
    const refused = (await Promise.allSettled(starts)).flatMap((each) =>
      each.status === 'rejected' ? [each.reason] : [],
    )
    expect(refused.length).toBeGreaterThan(0)
    for (const each of refused) server.clock.advance(expectLimit(each, peer, /too many device authorizations/))
    await grants.startDevice(clients[9] ?? (await grants.deviceClient()))
  })

  it('can be watched from one address a limited number of times at once', async () => {
    const client = await grants.webClient({ grantTypes: [GrantType.DEVICE_CODE] })
    const codes = await Promise.all(Array.from({ length: 4 }, () => grants.startDevice(client)))
    const watches = codes.slice(0, 3).map((device) => grants.watchDevice(client, device))
    await expect.poll(() => watches.every(({ items }) => items.length === 1)).toBe(true)
    const last = codes[3] ?? { deviceCode: '' }
    expectLimit(await refusalOf(grants.watchDevice(client, last).ended), peer, /at most 3 watches per address/)
    watches[0]?.cancel()
    await expect
      .poll(async () => {
        const again = grants.watchDevice(client, last)
        watches.push(again)
        const isOver = again.ended.then(
          () => true,
          () => true,
        )
        await expect.poll(async () => again.items.length > 0 || (await Promise.race([isOver, false]))).toBe(true)
        return again.items[0]?.state
      })
      .toBe(State.PENDING)
    for (const watch of watches) watch.cancel()
  })
}
onEveryBackend('device authorizations', devices, {
  variables: {
    QSCOPE_DEVICE_START_RATE: '30/m:30',
    QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS: '10',
    QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS_PER_PEER: '100',
    QSCOPE_MAX_WATCHES_PER_PEER: '3',
  },
})

const trust = (server: TestServer) => {
  const admin = () => ({ bearer: server.admin.token })
  const jwks = jwksOf(signingPair('ES256'))
  const create = (issuer: string, more: object = {}) =>
    server.call(
      createTrustedIssuer,
      { trustedIssuer: { issuer, keys: { case: 'jwks', value: jwks } }, ...more },
      admin(),
    )
  const TOO_MANY = /at most 5 trusted issuers may be in the database/

  it('are created up to the limit, also by concurrent calls, and again after one is deleted', async () => {
    const names = Array.from({ length: 12 }, () => `https://${server.unique('issuer-')}.example`)
    const ends = await Promise.allSettled(names.map((name) => create(name)))
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
    const refused = ends.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    for (const each of refused) expectLimit(each, 'trusted_issuers', TOO_MANY)
    const { trustedIssuers: stored } = await server.call(listTrustedIssuers, {}, admin())
    // Those of the file do not count.
    expect(stored.filter(({ readOnly }) => !readOnly)).toHaveLength(5)
    expect(stored.filter(({ readOnly }) => readOnly)).not.toEqual([])

    const [first] = stored.filter(({ readOnly }) => !readOnly)
    const issuer = first?.issuer ?? ''
    expectLimit(
      await refusalOf(create('https://one-more.example', { validateOnly: true })),
      'trusted_issuers',
      TOO_MANY,
    )
    expect((await refusalOf(create(issuer))).reason).toBe('RESOURCE_CONFLICT')
    await server.call(updateTrustedIssuer, { trustedIssuer: { issuer, displayName: 'renamed' } }, admin())
    await server.call(deleteTrustedIssuer, { issuer }, admin())
    await create('https://one-more.example')
    expectLimit(await refusalOf(create(issuer)), 'trusted_issuers', TOO_MANY)
  })
}
onEveryBackend('trusted issuers', trust, {
  variables: { QSCOPE_MAX_TRUSTED_ISSUERS: '5', QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file },
})

const messages = (server: TestServer) => {
  it('are as large as the variable allows', async () => {
    const refused = await refusalOf(
      server.call(mintToken, { client: server.admin.client, scopes: ['x'.repeat(3_000)] }),
    )
    expect(refused).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: '' })
  })

  it('are refused for their content before authentication', async () => {
    const many = Array.from({ length: 101 }, () => ({}))
    const refused = await refusalOf(server.call(batchMintTokens, { requests: many }))
    expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['requests'] })
  })
}
onEveryBackend('requests', messages, { variables: { QSCOPE_MAX_MESSAGE_BYTES: '2048' } })
