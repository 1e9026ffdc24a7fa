import { array, assert, asyncProperty, constantFrom, nat, oneof, record, shuffledSubarray } from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PERMISSIONS } from '../../src/domain/scopes.ts'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { CodeChallengeMethod, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { jwksOf, signingPair } from '../setup/assertions.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { ACCESS_TOKEN_TYPE, pkcePair } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { GRANTS, INTRUDERS_JWKS, INTRUDERS_TLS_SUBJECT, Intruder, PROOFS, REDIRECTS } from './intruder.ts'
import { LIMITS_OFF } from './limits-off.ts'

const clients = ClientService.method
const tokens = TokenService.method
const RUNS = scaled(300)
const ISSUER = 'http://127.0.0.1:50051'

/** The permissions of the intruder. */
const HELD = [
  ['qscope:clients.write', 'qscope:clients.read'],
  ['qscope:clients.write', 'qscope:consent', 'qscope:tokens.read'],
]

/** One attempt; the numbers select from the values that are known at that time. */
const trial = record({
  what: constantFrom(
    ...(['register', 'register', 'update', 'update', 'update', 'rotate', 'rotate', 'enable', 'enable'] as const),
    ...(['disable', 'delete', 'reregister', 'revokeSecret', 'mint', 'mint', 'mint', 'mint', 'mint'] as const),
    ...(['batch', 'exchange', 'exchange', 'exchange', 'code', 'device'] as const),
  ),
  // Mostly the first token, which the intruder cannot revoke.
  bearer: constantFrom(0, 0, 0, 0, 1, 2, 3, 5, 8),
  target: nat(20),
  other: nat(20),
  withKey: constantFrom(false, false, false, true),
  scopes: oneof(
    {
      weight: 4,
      arbitrary: constantFrom<string[]>(
        [],
        [],
        ['orders'],
        ['qscope:clients.write'],
        ['qscope:clients.write', 'orders'],
      ),
    },
    {
      weight: 1,
      arbitrary: shuffledSubarray<string>([...PERMISSIONS, 'orders', 'qscope:', 'QSCOPE:keys.write', 'qscope:*']),
    },
  ),
  audiences: constantFrom<string[]>([], [], [ISSUER], ['shop']),
  fields: oneof(
    constantFrom('scopes', 'authentication_method jwks', 'authentication_method tls_client_subject', 'jwks').map(
      (names) => names.split(' '),
    ),
    shuffledSubarray(['scopes', 'authentication_method', 'jwks', 'tls_client_subject', 'audiences', 'grant_types']),
  ).map((paths): string[] => paths),
  proof: constantFrom<(typeof PROOFS)[number]>(...PROOFS),
})
type Trial = Parameters<Parameters<typeof trial.map>[0]>[0]

async function carryOut(intruder: Intruder, chosen: Trial): Promise<void> {
  const { what, scopes, audiences, proof } = chosen
  const { server } = intruder
  const bearer = intruder.bearer(chosen.bearer)
  const clientId = Intruder.pick(intruder.clientIds, chosen.target)
  const client = () => intruder.credentials(chosen.target, chosen.withKey)
  const wanted = { scopes, audiences: [ISSUER, 'shop'], ...proof }
  switch (what) {
    case 'register':
      return await intruder.register(wanted, bearer)
    case 'update': {
      const tls = { authenticationMethod: AuthenticationMethod.TLS_CLIENT, tlsClientSubject: INTRUDERS_TLS_SUBJECT }
      const key = { authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT, jwks: INTRUDERS_JWKS }
      const change = chosen.fields.includes('tls_client_subject') ? tls : key
      const request = {
        client: { clientId, grantTypes: GRANTS, ...wanted, ...change },
        updateMask: { paths: chosen.fields },
      }
      await server.call(clients.updateClient, request, bearer)
      return
    }
    case 'rotate': {
      const rotated = await server.call(clients.rotateClientSecret, { clientId, overlap: { seconds: 60n } }, bearer)
      return intruder.learn(clientId, rotated.clientSecret)
    }
    case 'enable':
      return void (await server.call(clients.enableClient, { clientId }, bearer))
    case 'disable':
      return void (await server.call(clients.disableClient, { clientId }, bearer))
    case 'delete':
      return void (await server.call(clients.deleteClient, { clientId }, bearer))
    case 'reregister':
      await intruder.attempt(async () => void (await server.call(clients.deleteClient, { clientId }, bearer)))
      return await intruder.register({ ...wanted, clientId }, bearer)
    case 'revokeSecret': {
      const { secrets } = await server.call(clients.listClientSecrets, { clientId }, bearer)
      const secretId = secrets[0]?.secretId ?? ''
      return void (await server.call(clients.revokeClientSecret, { clientId, secretId }, bearer))
    }
    case 'mint':
      return await intruder.keep(
        (await server.call(tokens.mintToken, { client: await client(), scopes, audiences })).token,
      )
    case 'batch': {
      const requests = [{ scopes, audiences }, { scopes }, {}]
      const { results } = await server.call(tokens.batchMintTokens, { client: await client(), requests })
      for (const { result } of results) if (result.case === 'token') await intruder.keep(result.value)
      return
    }
    case 'exchange': {
      const subjectToken = Intruder.pick(intruder.tokens, chosen.other)
      const request = { client: await client(), subjectToken, subjectTokenType: ACCESS_TOKEN_TYPE, scopes, audiences }
      return await intruder.keep((await server.call(tokens.exchangeToken, request)).token)
    }
    case 'code': {
      const { verifier, challenge } = pkcePair()
      const [redirectUri = ''] = REDIRECTS
      const credentials = await client()
      const user = { id: { case: 'externalId' as const, value: 'somebody' } }
      const consent = { clientId: credentials.clientId, user, redirectUri, scopes, audiences }
      const proved = { ...consent, codeChallenge: challenge, codeChallengeMethod: CodeChallengeMethod.S256 }
      const { code } = await server.call(tokens.createAuthorizationCode, proved, bearer)
      const request = { client: credentials, code, redirectUri, codeVerifier: verifier }
      return await intruder.keep((await server.call(tokens.exchangeAuthorizationCode, request)).token)
    }
    case 'device': {
      const request = { client: await client(), scopes, audiences }
      const { userCode, deviceCode } = await server.call(DeviceService.method.startDeviceAuthorization, request)
      const user = { id: { case: 'externalId' as const, value: 'somebody' } }
      await server.call(DeviceService.method.approveDeviceAuthorization, { userCode, user }, bearer)
      const redemption = { client: await client(), deviceCode }
      return await intruder.keep((await server.call(DeviceService.method.redeemDeviceCode, redemption)).token)
    }
    default:
      return what satisfies never
  }
}

/** Clients with permissions that no intruder holds, and one without any. */
async function others(server: TestServer) {
  const bearer = { bearer: server.admin.token }
  const ids = [
    await server.registerClient({ scopes: ['qscope:audit.read', 'orders'] }),
    await server.registerClient({
      scopes: ['qscope:keys.write'],
      authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
      jwks: jwksOf(signingPair('ES256')),
    }),
    await server.registerClient({ scopes: [...PERMISSIONS] }),
  ].map(({ clientId }) => clientId)
  const disabled = ids.at(-1) ?? ''
  await server.call(clients.disableClient, { clientId: disabled }, bearer)
  const look = async () =>
    await Promise.all(
      ids.map(async (clientId) => {
        const { client } = await server.call(clients.getClient, { clientId }, bearer)
        const { secrets } = await server.call(clients.listClientSecrets, { clientId }, bearer)
        const { enabled, scopes, grantTypes, audiences, authenticationMethod, jwks, tlsClientSubject } = client ?? {}
        const kept = { scopes, grantTypes, audiences, authenticationMethod, jwks, tlsClientSubject }
        return {
          ...kept,
          mayBeEnabled: enabled && clientId === disabled,
          secrets: secrets.map(({ secretId }) => secretId),
        }
      }),
    )
  return { ids: [...ids, (await server.registerClient({ scopes: ['orders'] })).clientId], look }
}

describe('a caller with the permission to write clients', () => {
  let database: FreshDatabase | null = null
  let running: TestServer | null = null
  beforeAll(async () => {
    database = await sqliteFiles.createMigrated()
    running = await startServer(database.url, undefined, undefined, LIMITS_OFF)
  })
  afterAll(async () => {
    await running?.stop()
    await database?.drop()
  })

  it(`gains no further permission in ${RUNS} runs`, { timeout: 20_000 + RUNS * 2_000 }, async () => {
    const server = running
    if (server === null) throw new Error('the server is not running')
    const answered = new Map<string, number>()
    const attack = asyncProperty(
      constantFrom(...HELD),
      // The attempts of one round run in parallel.
      array(array(trial, { minLength: 1, maxLength: 3 }), { minLength: 20, maxLength: 20 }),
      async (held, rounds) => {
        const intruder = new Intruder(server, held)
        const { ids, look } = await others(server)
        const before = await look()
        intruder.clientIds.push(...ids)
        const { client } = await server.registerClient({ scopes: held.slice() })
        await intruder.register({ scopes: [...held, 'orders'] }, { bearer: server.admin.token })
        await intruder.register({ scopes: [...held, 'orders'], ...PROOFS[1] }, { bearer: server.admin.token })
        await intruder.keep((await server.call(tokens.mintToken, { client })).token)
        for (const round of rounds) {
          await Promise.all(
            round.map((chosen) =>
              intruder.attempt(async () => {
                await carryOut(intruder, chosen)
                answered.set(chosen.what, (answered.get(chosen.what) ?? 0) + 1)
              }),
            ),
          )
        }
        expect(intruder.gained).toEqual([])
        expect(await look()).toEqual(before)
      },
    )
    await assert(attack, { numRuns: RUNS })
    // Many attempts are refused, but some of every kind must succeed, or the test would show nothing.
    const counts = Object.fromEntries([...answered].sort())
    expect(Math.min(...['register', 'update', 'rotate', 'mint'].map((what) => counts[what] ?? 0))).toBeGreaterThan(
      RUNS / 4,
    )
  })
})
