import { describe, expect, it } from 'vitest'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { post, startApplication } from './application.ts'

const server = await startApplication()
const { httpUrl: url } = server
const orders = await server.registerClient({ clientId: 'orders', scopes: ['orders.read'] })
const asOrders = { authorization: `Basic ${btoa(`${orders.clientId}:${orders.clientSecret}`)}` }
const asAdmin = { authorization: `Bearer ${server.admin.token}` }

async function minted(): Promise<string> {
  const { token } = await server.call(TokenService.method.mintToken, { client: orders.client })
  return token?.accessToken ?? ''
}

describe('with curl', () => {
  it('a token is explained to its client, and the answer must not be cached', async () => {
    const token = await minted()
    const { status, headers, json, text } = await post(url, 'TokenService/ExplainToken', { token }, asOrders)
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(json).toMatchObject({ verdict: 'VERDICT_ACCEPTED', errorReason: 'ERROR_REASON_UNSPECIFIED' })
    expect(text).toContain('"passed":true')
    expect(text).not.toContain(token)
  })

  it('a failed check has an explicit "passed": false', async () => {
    const request = { clientId: 'orders', grantType: 'GRANT_TYPE_CLIENT_CREDENTIALS', scopes: ['orders.write'] }
    const { json } = await post(url, 'ClientService/ExplainMint', request, asAdmin)
    expect(json).toMatchObject({
      verdict: 'VERDICT_REFUSED',
      errorReason: 'ERROR_REASON_OAUTH_INVALID_SCOPE',
      checks: expect.arrayContaining([expect.objectContaining({ name: 'scopes_are_allowed', passed: false })]),
    })
  })

  it('a leaked token is revoked by POST without credentials, and not by GET', async () => {
    const token = await minted()
    const get = new URL(`${url}/qscope.v1.TokenService/RevokeLeakedToken`)
    get.search = new URLSearchParams({ connect: 'v1', encoding: 'json', message: JSON.stringify({ token }) }).toString()
    expect((await fetch(get)).status).toBe(405)
    const { status, json } = await post(url, 'TokenService/RevokeLeakedToken', { token })
    expect([status, json]).toEqual([200, {}])
    const introspected = await post(url, 'TokenService/IntrospectToken', { token }, asOrders)
    expect(introspected.json).toMatchObject({ active: false })
  })
})
