import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withoutSecrets } from '../../src/domain/secret-text.ts'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { Refused } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const JWT = `eyJ${'h'.repeat(20)}.eyJ${'p'.repeat(20)}.${'s'.repeat(30)}`
const KINDS = ['qat', 'qrt', 'qac', 'qdc', 'qcs'].map((prefix) => `${prefix}_${'Sx7'.repeat(16)}9`)
const SECRETS = [...KINDS, JWT]
const HOLDS_SECRET = 'contains a token or a secret, which must not be stored here: revoke it if it is still valid'

async function refusalOf(call: Promise<unknown>): Promise<Refused> {
  const error = await call.then(
    () => null,
    (refused: unknown) => refused,
  )
  if (error instanceof Refused) return error
  throw error ?? new Error('the call was not refused')
}

describe('free text', () => {
  test('keeps its words except those with a token or a secret', () => {
    for (const secret of SECRETS) {
      expect(withoutSecrets(`leaked  ${secret}\nin token=${secret}, see log`)).toBe(
        'leaked  [redacted]\nin [redacted] see log',
      )
    }
    expect(withoutSecrets('nothing secret: qat_, eyJ.')).toBe('nothing secret: qat_, eyJ.')
  })
})

for (const kind of databaseKinds.filter(({ name }) => name === 'sqlite')) {
  describe(`tokens and secrets in the wrong field, on ${kind.name}`, () => {
    let database: FreshDatabase
    let server: TestServer
    let bearer = { bearer: '' }

    beforeAll(async () => {
      database = await kind.create()
      server = await startServer(database.url)
      bearer = { bearer: server.admin.token }
    })
    afterAll(async () => {
      await server.flush()
      const stored = await dump(database)
      for (const secret of SECRETS) expect(stored).not.toContain(secret)
      expect(stored).toContain('[redacted]')
      await server.stop()
      await database.drop()
    })

    test.each(SECRETS)('are masked in the reason of a revocation: %s', async (secret) => {
      const { client, clientId } = await server.registerClient({ clientId: server.unique('c-') })
      const minted = await server.call(TokenService.method.mintToken, { client })
      const target = { case: 'tokenId' as const, value: minted.token?.tokenId ?? '' }
      await server.call(TokenService.method.revokeTokens, { target, reason: `leaked ${secret}` }, bearer)
      const [event] = await server.auditEvents({ clientId, eventTypes: ['token.revoked'] })
      expect(event?.metadata).toEqual({ reason: 'leaked [redacted]' })
    })

    test('are masked in the reason for which a signing key is revoked', async () => {
      const { key } = await server.call(KeyService.method.prepareSigningKey, {}, bearer)
      const request = { keyId: key?.keyId ?? '', reason: JWT }
      await server.call(KeyService.method.revokeSigningKey, request, bearer)
      const [event] = await server.auditEvents({ eventTypes: ['key.revoked'] })
      expect(event?.metadata).toMatchObject({ reason: '[redacted]' })
    })

    test.each(SECRETS)("are masked in a client's display name and metadata: %s", async (secret) => {
      const clientId = server.unique('c-')
      const texts = { displayName: `Orders ${secret}`, config: { metadata: { runbook: `use ${secret}` } } }
      const masked = { displayName: 'Orders [redacted]', config: { metadata: { runbook: 'use [redacted]' } } }
      await server.registerClient({ clientId, ...texts })
      expect((await server.call(ClientService.method.getClient, { clientId }, bearer)).client).toMatchObject(masked)
      const paths = ['display_name', 'config.metadata']
      const request = { client: { clientId, ...texts }, updateMask: { paths } }
      expect((await server.call(ClientService.method.updateClient, request, bearer)).client).toMatchObject(masked)
    })

    test.each([
      ['client_id', (secret: string) => ({ clientId: secret })],
      ['redirect_uris[0]', (secret: string) => ({ redirectUris: [`https://a.example/cb?t=${secret}`] })],
      ['scopes[0]', (secret: string) => ({ scopes: [secret] })],
      ['audiences[0]', (secret: string) => ({ audiences: [secret] })],
      ['resource_audiences[0]', (secret: string) => ({ resourceAudiences: [secret] })],
      ['config.metadata', (secret: string) => ({ config: { metadata: { [secret]: 'x' } } })],
    ])("are refused in a client's %s, and not quoted", async (field, fields) => {
      const [token = ''] = KINDS
      const wanted = { clientId: server.unique('c-'), ...fields(token) }
      const refused = await refusalOf(server.registerClient(wanted))
      expect(refused.reason).toBe('REGISTRATION_INVALID_CLIENT_METADATA')
      expect(refused.details.badRequest?.fieldViolations).toMatchObject([{ field, description: HOLDS_SECRET }])
      expect(JSON.stringify(refused.details) + refused.message).not.toContain(token)
    })

    test('are refused in a public key, but not its number', async () => {
      const { n = '', ...rsa } = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({
        format: 'jwk',
      })
      const unlucky = { ...rsa, alg: 'RS256', n: `${n.slice(0, 40)}qat_Sx7Sx7Sx${n.slice(52)}` }
      const register = (keys: object[]) =>
        server.registerClient({
          clientId: server.unique('c-'),
          authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
          jwks: JSON.stringify({ keys }),
        })
      await register([unlucky])
      const refused = await refusalOf(register([{ ...unlucky, kid: KINDS[0] }]))
      expect(refused.details.badRequest?.fieldViolations).toMatchObject([{ field: 'jwks', description: HOLDS_SECRET }])
    })

    test.each(SECRETS)('are refused in the external id of a user: %s', async (secret) => {
      const refused = await refusalOf(server.call(UserService.method.registerUser, { externalId: secret }, bearer))
      expect(refused.reason).toBe('OAUTH_INVALID_REQUEST')
      expect(refused.details.badRequest?.fieldViolations).toMatchObject([
        { field: 'external_id', description: HOLDS_SECRET },
      ])
      expect(JSON.stringify(refused.details) + refused.message).not.toContain(secret)
    })
  })
}
