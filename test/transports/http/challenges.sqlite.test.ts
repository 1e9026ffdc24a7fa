import { describe, expect, it } from 'vitest'
import { registry } from '../../../src/errors/registry.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { post, startApplication } from './application.ts'

const server = await startApplication()

async function clientWith(scopes: string[]) {
  const registered = await server.registerClient({ scopes })
  const { token } = await server.call(TokenService.method.mintToken, { client: registered.client })
  return { ...registered, token: token?.accessToken ?? '' }
}

/** A token with the permission to list clients, and one without permissions. */
const { token: powerful } = await clientWith(['qscope:clients.read'])
const orders = await clientWith(['orders.read'])
const powerless = orders.token

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
})

async function challengeOf(method: string, body: unknown, headers: Record<string, string> = {}) {
  const answer = await post(server.httpUrl, method, body, headers)
  return [answer.status, answer.headers.get('www-authenticate')]
}

describe('RFC 6750 §3: over HTTP,', () => {
  it('a token without the permission gets a challenge with the required one', async () => {
    expect(await challengeOf('ClientService/ListClients', {}, bearer(powerless))).toEqual([
      403,
      'Bearer realm="qscope", error="insufficient_scope", scope="qscope:clients.read"',
    ])
  })

  it('a token with only the permission to read gets a challenge with the one to write', async () => {
    const asked = { type: 'CLIENT_TYPE_CONFIDENTIAL', grantTypes: ['GRANT_TYPE_CLIENT_CREDENTIALS'] }
    expect(await challengeOf('ClientService/RegisterClient', asked, bearer(powerful))).toEqual([
      403,
      expect.stringMatching(/^Bearer realm="qscope", error="insufficient_scope", scope="qscope:clients\.[a-z]+"$/),
    ])
  })

  it('VerifyToken has no challenge for the scopes of the presented token', async () => {
    const asked = { token: powerless, requiredScopes: ['orders.write', 'orders.read'] }
    expect(await challengeOf('TokenService/VerifyToken', asked, basic(orders.clientId, orders.clientSecret))).toEqual([
      403,
      null,
    ])
  })

  it.each([
    ['unknown', () => bearer('qat_no')],
    ['missing', () => ({ authorization: 'Bearer' })],
    ['truncated, with the scheme in another case', () => ({ authorization: `bEARER ${powerless.slice(0, -1)}` })],
    ['not a b64token', () => bearer('a,b')],
  ])('a bearer token that is %s gets a challenge with invalid_token', async (_what, headers) => {
    expect(await challengeOf('ClientService/ListClients', {}, headers())).toEqual([
      401,
      'Bearer realm="qscope", error="invalid_token"',
    ])
  })

  it.each([
    ['no credentials', () => ({})],
    ['another scheme', () => basic(orders.clientId, orders.clientSecret)],
    ['an unknown scheme', () => ({ authorization: 'Digest username="a"' })],
  ])('§3.1: a caller with %s gets a challenge without an error', async (_what, headers) => {
    expect(await challengeOf('ClientService/ListClients', {}, headers() as Record<string, string>)).toEqual([
      401,
      'Bearer realm="qscope"',
    ])
  })

  it('§3.1: a malformed request with a token gets a challenge with invalid_request', async () => {
    const malformed = { pageSize: -1 }
    expect(await challengeOf('ClientService/ListClients', malformed, bearer(powerful))).toEqual([
      400,
      'Bearer realm="qscope", error="invalid_request"',
    ])
  })

  it('a malformed request without a token gets no challenge', async () => {
    const malformed = { client: { clientId: orders.clientId, clientSecret: orders.clientSecret }, scopes: ['"'] }
    expect(await challengeOf('TokenService/MintToken', malformed)).toEqual([400, null])
  })

  it('RFC 6749 §5.2: a failed client authentication gets a challenge', async () => {
    const challenge = 'Basic realm="qscope", charset="UTF-8"'
    expect(await challengeOf('TokenService/MintToken', {}, basic('orders', 'wrong'))).toEqual([401, challenge])
    expect(await challengeOf('TokenService/MintToken', {})).toEqual([401, challenge])
  })
})

it('RFC 9110 §11.6.1: every error with the status 401 has a challenge', () => {
  const without = Object.entries(registry).filter(
    ([, row]) => row.status === 'UNAUTHENTICATED' && !('challenge' in row && row.challenge !== undefined),
  )
  expect(without).toEqual([])
})
