import { createHmac } from 'node:crypto'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { credentials } from '@grpc/grpc-js'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Channel } from '../../../packages/client/src/channel.ts'
import { attachToken } from '../../../packages/client/src/connect/attach-token.ts'
import { grpcJsChannel } from '../../../packages/client/src/grpc-js/channel.ts'
import { tokenCallCredentials } from '../../../packages/client/src/grpc-js/token-call-credentials.ts'
import type { QScopeError } from '../../../packages/client/src/qscope-error.ts'
import { clientCredentials } from '../../../packages/client/src/tokens/client-credentials.ts'
import { cachingVerifier } from '../../../packages/client/src/verification/caching/caching-verifier.ts'
import { grpcKeySet } from '../../../packages/client/src/verification/key-set.ts'
import { offlineVerifier } from '../../../packages/client/src/verification/offline-verifier.ts'
import { onlineVerifier } from '../../../packages/client/src/verification/online-verifier.ts'
import type { TokenVerifier } from '../../../packages/client/src/verification/token-verifier.ts'
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.ts'
import { AuthenticationMethod } from '../../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { signed, signingPair } from '../../setup/assertions.ts'
import { certificateAuthority, channelOf, type Identity, LOCAL_NAMES, suiteFolder } from '../../setup/certificates.ts'
import { connect } from '../../setup/client.ts'
import { freePort } from '../../setup/free-port.ts'
import { grantsOn } from '../../setup/grants.ts'
import { JWT, jwtsOn, partOf } from '../../setup/jwt.ts'
import { errorOf, givenServer } from './given.ts'
import { ACCESS, type Certificates, RESOURCE_SERVERS } from './resource-servers.ts'

const AUDIENCE = 'https://warehouse.internal'

const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const serving = ca.issue('server', LOCAL_NAMES)
const holder = ca.issue('orders', ['DNS:orders.internal'])
const other = ca.issue('billing', ['DNS:billing.internal'])
const PLAIN: Certificates = { serving, callers: null }
const MUTUAL: Certificates = { serving, callers: ca }
const server = givenServer(
  {
    QSCOPE_TLS_CERT_FILE: serving.certFile,
    QSCOPE_TLS_KEY_FILE: serving.keyFile,
    QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
  },
  channelOf(ca),
)

let qscope: Channel
let warehouse: { readonly clientId: string; readonly clientSecret: string }
beforeAll(async () => {
  qscope = grpcJsChannel(server().address, { credentials: channelOf(ca) })
  warehouse = await server().registerClient({ resourceAudiences: [AUDIENCE] })
})

/** The verifiers, each with the configuration of clients whose tokens it verifies. */
const VERIFIERS = [
  {
    how: 'by VerifyToken',
    config: {},
    verifier: (): TokenVerifier => onlineVerifier(qscope, { caller: warehouse, audience: AUDIENCE }),
  },
  {
    how: 'by the key set',
    config: JWT,
    verifier: (): TokenVerifier =>
      offlineVerifier({ keys: grpcKeySet(qscope), issuer: server().issuer, audience: AUDIENCE }),
  },
  { how: 'from memory', config: {}, verifier: (): TokenVerifier => fromMemory() },
  { how: 'from memory, and JWTs offline', config: JWT, verifier: (): TokenVerifier => fromMemory(server().issuer) },
]

function fromMemory(issuer?: string): TokenVerifier {
  const verifier = cachingVerifier(qscope, { caller: warehouse, audience: AUDIENCE, issuer })
  onTestFinished(() => verifier.close())
  return verifier
}

const CASES = RESOURCE_SERVERS.flatMap((guarded) => VERIFIERS.map((verifying) => ({ ...guarded, ...verifying })))

describe.each(CASES)('a $kind server that verifies $how', ({ start, config, verifier }) => {
  const guarded = async (certificates = PLAIN, wanted: TokenVerifier = verifier()) => {
    const failures: unknown[] = []
    const options = { verifier: wanted, access: ACCESS, onCheckFailure: (error: unknown) => failures.push(error) }
    const running = await start(options, certificates)
    onTestFinished(() => running.stop())
    const caller = (identity: Identity | null = null) => {
      const channel = grpcJsChannel(running.address, { credentials: channelOf(ca, identity) })
      onTestFinished(() => channel.close())
      return channel
    }
    const channel = caller()
    return {
      ...running,
      failures,
      check: (bearer?: string, from = channel) => from.unary(Health.method.check, {}, { bearer }),
      list: () => channel.unary(Health.method.list, {}),
      async watch(bearer: string) {
        for await (const { status } of channel.serverStream(Health.method.watch, {}, { bearer })) return status
        return null
      },
      caller,
    }
  }
  const registered = (more: object = {}) =>
    server().registerClient({ scopes: ['orders.read'], audiences: [AUDIENCE, 'elsewhere'], config, ...more })
  const minted = async (more: object = {}, client = registered()) =>
    (await grantsOn(server()).mint(await client, { audiences: [AUDIENCE], ...more })).accessToken
  const expectRefused = (error: QScopeError) =>
    expect(error).toMatchObject({
      status: 'UNAUTHENTICATED',
      reason: 'OAUTH_INVALID_TOKEN',
      oauthError: 'invalid_token',
    })

  it('accepts a valid token, and passes its claims to the handler', async () => {
    const { check, tokens } = await guarded()
    const client = await registered()
    await check(await minted({}, Promise.resolve(client)))
    expect(tokens).toEqual([
      expect.objectContaining({
        clientId: client.clientId,
        subject: client.clientId,
        subjectType: 'client',
        scopes: ['orders.read'],
        audiences: [AUDIENCE],
        issuer: server().issuer,
        certificate: null,
      }),
    ])
    expect(tokens[0]?.expireTime.getTime()).toBeGreaterThan(Date.now())
  })

  it('passes the subject type and the actors of a token of a user to the handler', async () => {
    const { check, tokens } = await guarded()
    const grants = grantsOn(server())
    const app = await grants.webClient({ audiences: [AUDIENCE], scopes: ['orders.read'], config })
    const { accessToken } = await grants.signIn(app, { audiences: [AUDIENCE] })
    await check(accessToken)
    expect(tokens[0]).toMatchObject({ subjectType: 'user', clientId: app.clientId, actors: [] })
    expect(tokens[0]?.subject).not.toBe(app.clientId)
  })

  it('refuses a call without a token, except to the method that is open to anyone', async () => {
    const { check, list, tokens } = await guarded()
    expectRefused(await errorOf(check()))
    expect(tokens).toEqual([])
    await list()
  })

  it('refuses a token that lacks a scope, and names the scope', async () => {
    const { watch, tokens } = await guarded()
    expect(await errorOf(watch(await minted()))).toMatchObject({
      status: 'PERMISSION_DENIED',
      reason: 'OAUTH_INSUFFICIENT_SCOPE',
      metadata: { required_scopes: 'orders.write' },
    })
    expect(tokens).toEqual([])
    const writer = registered({ scopes: ['orders.write'] })
    expect(await watch(await minted({}, writer))).toBe(1)
  })

  it('refuses a token for another audience, or without an audience', async () => {
    const { check } = await guarded()
    expectRefused(await errorOf(check(await minted({ audiences: ['elsewhere'] }))))
    expectRefused(await errorOf(check(await minted({ audiences: [] }))))
  })

  it('refuses an expired token', async () => {
    const { check } = await guarded()
    const token = await minted({ lifetime: { seconds: 3n } })
    await check(token)
    await expect
      .poll(
        async () =>
          await check(token).then(
            () => 'in',
            () => 'out',
          ),
        { timeout: 60_000 },
      )
      .toBe('out')
    expectRefused(await errorOf(check(token)))
  })

  it('refuses a malformed token, and an unknown one', async () => {
    const { check } = await guarded()
    for (const token of ['x', 'a.b.c', server().unknownToken(), 'x'.repeat(8_193)]) {
      expectRefused(await errorOf(check(token)))
    }
  })

  it('refuses JWTs that are unsigned, signed with an unknown key, or signed with the public key as an HMAC secret', async () => {
    const { check } = await guarded()
    const good = await minted({}, registered({ config: JWT }))
    const [, payload = '', signature = ''] = good.split('.')
    const header = partOf(good, 0)
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const unsigned = `${encode({ ...header, alg: 'none' })}.${payload}.`
    const stranger = signingPair('ES256', String(header['kid']))
    const claims = partOf(good, 1)
    const type = { typ: 'at+jwt' }
    const hmacText = `${encode({ ...header, alg: 'HS256' })}.${payload}`
    const [key] = (await jwtsOn(server()).keySet()).keys
    const confused = `${hmacText}.${createHmac('sha256', JSON.stringify(key)).update(hmacText).digest('base64url')}`
    for (const token of [
      unsigned,
      `${encode({ ...header, alg: 'none' })}.${payload}.${signature}`,
      await signed(stranger, claims, type),
      await signed(signingPair('ES256'), claims, type),
      confused,
    ]) {
      expectRefused(await errorOf(check(token)))
    }
    await check(good)
  })

  it('refuses JWTs of QScope with another type or issuer, outside their lifetime, or without a client id', async () => {
    const { check } = await guarded()
    const good = await minted({}, registered({ config: JWT }))
    const { forge } = jwtsOn(server())
    for (const token of [
      await forge(good, {}, { typ: 'JWT' }),
      await forge(good, { iss: 'https://other.example' }),
      await forge(good, { exp: 1 }),
      await forge(good, { client_id: undefined }),
      await forge(good, { nbf: Math.floor(Date.now() / 1_000) + 600 }),
    ]) {
      expectRefused(await errorOf(check(token)))
    }
  })

  it('accepts a bound token only over a connection with its certificate', async () => {
    const { check, caller, tokens } = await guarded(MUTUAL)
    const client = await server().registerClient({
      authenticationMethod: AuthenticationMethod.TLS_CLIENT,
      tlsClientSubject: 'dns:orders.internal',
      scopes: ['orders.read'],
      audiences: [AUDIENCE],
      config,
    })
    const showing = connect(server().address, { ownSocket: true, channel: channelOf(ca, holder) })
    onTestFinished(() => showing.close())
    const request = { client: { clientId: client.clientId }, audiences: [AUDIENCE] }
    const bound = (await showing.call(TokenService.method.mintToken, request)).token?.accessToken
    await check(bound, caller(holder))
    expect(tokens[0]?.certificate).toBe(holder.thumbprint)
    expectRefused(await errorOf(check(bound, caller(other))))
    const unasked = await guarded(PLAIN)
    expectRefused(await errorOf(unasked.check(bound)))
    await check(await minted(), caller(other))
  })

  it('fails with UNAVAILABLE when tokens cannot be checked, and reports the cause to onCheckFailure', async () => {
    const nowhere = grpcJsChannel(`127.0.0.1:${await freePort()}`, { credentials: credentials.createInsecure() })
    onTestFinished(() => nowhere.close())
    const stranded =
      config === JWT
        ? offlineVerifier({ keys: grpcKeySet(nowhere), issuer: server().issuer, audience: AUDIENCE })
        : onlineVerifier(nowhere, { caller: warehouse, audience: AUDIENCE })
    const { check, failures, tokens } = await guarded(PLAIN, stranded)
    expect(await errorOf(check(await minted()))).toMatchObject({
      status: 'UNAVAILABLE',
      reason: 'OAUTH_TEMPORARILY_UNAVAILABLE',
    })
    expect(failures).toHaveLength(1)
    expect(tokens).toEqual([])
  })

  it('refuses a method without a rule, whatever scopes the token has', async () => {
    const running = await start({ verifier: verifier(), access: {} }, PLAIN)
    onTestFinished(() => running.stop())
    const channel = grpcJsChannel(running.address, { credentials: channelOf(ca) })
    onTestFinished(() => channel.close())
    const error = await errorOf(channel.unary(Health.method.check, {}, { bearer: await minted() }))
    expect(error).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_INSUFFICIENT_SCOPE' })
    expectRefused(await errorOf(channel.unary(Health.method.check, {})))
  })
})

describe('revocation', () => {
  it.each(RESOURCE_SERVERS)(
    'takes effect with the next call to a $kind server with an online verifier',
    async ({ start }) => {
      const verifier = onlineVerifier(qscope, { caller: warehouse, audience: AUDIENCE })
      const running = await start({ verifier, access: ACCESS }, PLAIN)
      onTestFinished(() => running.stop())
      const channel = grpcJsChannel(running.address, { credentials: channelOf(ca) })
      onTestFinished(() => channel.close())
      const client = await server().registerClient({ scopes: ['orders.read'], audiences: [AUDIENCE] })
      const bearer = (await grantsOn(server()).mint(client, { audiences: [AUDIENCE] })).accessToken
      await channel.unary(Health.method.check, {}, { bearer })
      await server().call(TokenService.method.revokeToken, { client: client.client, token: bearer })
      expect((await errorOf(channel.unary(Health.method.check, {}, { bearer }))).reason).toBe('OAUTH_INVALID_TOKEN')
    },
  )
})

describe('an online verifier', () => {
  const given = async () => {
    const client = await server().registerClient({ scopes: ['a'], audiences: [AUDIENCE] })
    const mint = async () => (await grantsOn(server()).mint(client, { audiences: [AUDIENCE] })).accessToken
    return { mint }
  }
  /** Counts ray ids, since a call may write several lines. */
  const callsSince = (start: number) =>
    new Set(
      server()
        .lines.slice(start)
        .filter(({ method }) => String(method).endsWith('VerifyToken'))
        .map(({ rayId }) => rayId),
    ).size

  it('asks once for equal checks in one turn of the event loop, and again in the next', async () => {
    const { mint } = await given()
    const [one, two] = [await mint(), await mint()]
    const verifier = onlineVerifier(qscope, { caller: warehouse, audience: AUDIENCE })
    const start = server().lines.length
    const checks = [one, two, one, one, two].map((value) => verifier.verify({ value, certificate: null }))
    const ids = (await Promise.all(checks)).map((token) => token?.tokenId)
    expect(new Set(ids).size).toBe(2)
    expect(callsSince(start)).toBe(2)
    await verifier.verify({ value: one, certificate: null })
    expect(callsSince(start)).toBe(3)
  })

  it('can authenticate with a token that has qscope:tokens.read', async () => {
    const { mint } = await given()
    const reader = await server().registerClient({ scopes: ['qscope:tokens.read'] })
    const caller = clientCredentials(qscope, { client: reader })
    const verifier = onlineVerifier(qscope, { caller, audience: AUDIENCE })
    expect(await verifier.verify({ value: await mint(), certificate: null })).not.toBeNull()
    expect(await verifier.verify({ value: server().unknownToken(), certificate: null })).toBeNull()
  })

  it('fails with invalid_client when its own credentials are wrong', async () => {
    const { mint } = await given()
    const caller = { ...warehouse, clientSecret: 'wrong' }
    const verifier = onlineVerifier(qscope, { caller, audience: AUDIENCE })
    const error = await errorOf(verifier.verify({ value: await mint(), certificate: null }))
    expect(error.reason).toBe('OAUTH_INVALID_CLIENT')
  })
})

describe('a caller of guarded servers', () => {
  const given = async (kind: 'grpc-js' | 'Connect') => {
    const client = await server().registerClient({ scopes: ['orders.read'], audiences: [AUDIENCE] })
    const source = clientCredentials(qscope, { client, audiences: [AUDIENCE] })
    const verifier = onlineVerifier(qscope, { caller: warehouse, audience: AUDIENCE })
    const start = RESOURCE_SERVERS.find((each) => each.kind === kind)?.start
    if (start === undefined) throw new Error(kind)
    const running = await start({ verifier, access: ACCESS }, PLAIN)
    onTestFinished(() => running.stop())
    return { client, source, running }
  }

  it('on grpc-js sends its token with each call, by call credentials', async () => {
    const { source, running } = await given('Connect')
    const secure = credentials.combineChannelCredentials(channelOf(ca), tokenCallCredentials(source))
    const channel = grpcJsChannel(running.address, { credentials: secure })
    onTestFinished(() => channel.close())
    await channel.unary(Health.method.check, {})
    expect(running.tokens[0]?.tokenId).toBe((await source.token()).tokenId)
  })

  it('on grpc-js refuses to send its token over plaintext', async () => {
    const { source } = await given('grpc-js')
    const combine = () =>
      credentials.combineChannelCredentials(credentials.createInsecure(), tokenCallCredentials(source))
    expect(combine).toThrow('insecure')
  })

  it('on Connect sends its token with each call, and gets another one after a refusal', async () => {
    const { client, source, running } = await given('grpc-js')
    const transport = createGrpcTransport({
      baseUrl: `https://${running.address}`,
      nodeOptions: { ca: ca.cert },
      interceptors: [attachToken(source)],
    })
    const health = createClient(Health, transport)
    await health.check({})
    const { value } = await source.token()
    await server().call(TokenService.method.revokeToken, { client: client.client, token: value })
    const refused = await health.check({}).catch((error: unknown) => ConnectError.from(error).code)
    expect(refused).toBe(Code.Unauthenticated)
    await health.check({})
    expect(running.tokens).toHaveLength(2)
  })

  it('fails with UNAVAILABLE when it cannot get a token', async () => {
    const { client, running } = await given('grpc-js')
    const source = clientCredentials(qscope, { client: { ...client, clientSecret: 'wrong' } })
    const secure = credentials.combineChannelCredentials(channelOf(ca), tokenCallCredentials(source))
    const channel = grpcJsChannel(running.address, { credentials: secure })
    onTestFinished(() => channel.close())
    const onGrpcJs = await errorOf(channel.unary(Health.method.check, {}))
    expect(onGrpcJs).toMatchObject({ status: 'UNAVAILABLE', reason: null })
    expect(onGrpcJs.message).toContain('no access token: OAUTH_INVALID_CLIENT')
    const transport = createGrpcTransport({ baseUrl: 'https://localhost:1', interceptors: [attachToken(source)] })
    const thrown = await createClient(Health, transport)
      .check({})
      .catch((error: unknown) => error)
    const onConnect = ConnectError.from(thrown)
    expect(onConnect.code).toBe(Code.Unavailable)
    expect(onConnect.cause).toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
    expect(running.tokens).toEqual([])
  })

  it('on Connect refuses to send its token over plaintext', async () => {
    const { source } = await given('grpc-js')
    const transport = createGrpcTransport({ baseUrl: 'http://127.0.0.1:1', interceptors: [attachToken(source)] })
    const refused = await createClient(Health, transport)
      .check({})
      .catch((error: unknown) => ConnectError.from(error).code)
    expect(refused).toBe(Code.FailedPrecondition)
  })
})
