import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { Refused, type Sent } from '../setup/client.ts'
import { databaseKinds } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const { mintToken, verifyToken } = TokenService.method
const { listClients, disableClient } = ClientService.method

describe('a refusal of credentials', () => {
  let server: TestServer
  beforeAll(async () => {
    const [sqlite] = databaseKinds
    server = await startServer((await sqlite?.create())?.url ?? '')
  })
  afterAll(() => server.stop())

  const refusal = async (call: Promise<unknown>): Promise<Refused> => {
    const error = await call.then(
      () => null,
      (refused: unknown) => refused,
    )
    if (error instanceof Refused) return error
    throw error ?? new Error('the call was not refused')
  }
  const minting = (sent: Sent) => refusal(server.call(mintToken, {}, sent))
  const listing = (sent: Sent) => refusal(server.call(listClients, {}, sent))

  test('has the same message for an unknown id, a wrong secret and a disabled client', async () => {
    const { clientId, clientSecret } = await server.registerClient({ clientId: server.unique('c-') })
    await server.call(disableClient, { clientId }, { bearer: server.admin.token })
    const refused = await Promise.all([
      minting({ basic: ['nobody', 'secret'] }),
      minting({ basic: [server.admin.clientId, 'wrong'] }),
      minting({ basic: [clientId, clientSecret] }),
    ])
    const [first] = refused
    expect(first?.message).toMatch(/UNAUTHENTICATED OAUTH_INVALID_CLIENT: Client authentication failed\. Check/)
    expect(new Set(refused.map(({ message }) => message)).size).toBe(1)
  })

  test.each([
    ['missing', {}, /carries no client credentials/],
    ['malformed Basic', { metadata: { authorization: 'Basic ???' } }, /cannot be parsed.*Basic and the base64/],
    ['of an unknown scheme', { metadata: { authorization: 'Digest x' } }, /cannot be parsed/],
    [
      'a bearer token where a client is to prove itself',
      { bearer: 'x' },
      /a bearer token does not authenticate a client/,
    ],
  ])('explains client credentials that are %s', async (_name, sent, sentence) => {
    const refused = await minting(sent)
    expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
    expect(refused.message).toMatch(sentence)
  })

  test.each([
    ['missing', {}, /requires a bearer token/],
    ['malformed', { metadata: { authorization: 'Bearer ???' } }, /cannot be parsed/],
    ['client credentials', { basic: ['a', 'b'] }, /not client credentials/],
    ['unknown', { bearer: 'x' }, /unknown, expired, revoked or malformed\. Mint a new one/],
  ] as const)('explains a bearer token that is %s', async (_name, sent, sentence) => {
    const refused = await listing(sent)
    expect(refused.reason).toBe('OAUTH_INVALID_TOKEN')
    expect(refused.message).toMatch(sentence)
  })

  test('reports a presented token for another audience', async () => {
    const { client } = await server.registerClient({ clientId: server.unique('c-'), audiences: ['a'] })
    const minted = await server.call(mintToken, { client, audiences: ['a'] })
    const token = minted.token?.accessToken ?? ''
    const wrong = await refusal(server.call(verifyToken, { client, token, audience: 'b' }))
    expect(wrong).toMatchObject({ reason: 'OAUTH_INVALID_TOKEN', metadata: { token: 'presented' } })
    expect(wrong.message).toMatch(/issued for another audience than the one in the request/)
    const unknown = await refusal(server.call(verifyToken, { client, token: server.unknownToken() }))
    expect(unknown.message).toMatch(/presented token is not valid/)
  })
})
