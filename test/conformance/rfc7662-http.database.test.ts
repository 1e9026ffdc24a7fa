import { describe, expect, it } from 'vitest'
import { onEveryBackend } from '../setup/backends.ts'
import { basic, formsOn, HTTP_PORT } from '../setup/forms.ts'
import { grantsOn } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)
  const headerOf = ({ clientId, clientSecret }: { clientId: string; clientSecret: string }) =>
    basic(clientId, clientSecret)

  it('§2.1 accepts the token only by POST, in the body', async () => {
    const client = await server.registerClient({})
    const { accessToken } = await grants.mint(client)
    const response = await fetch(`${server.httpUrl}/oauth2/introspect?token=${accessToken}`, {
      headers: headerOf(client),
    })
    expect(response.status).toBe(405)
    const inUrl = await forms.post(`/oauth2/introspect?token=${accessToken}`, {}, headerOf(client))
    expect([inUrl.status, inUrl.body['error']]).toEqual([400, 'invalid_request'])
  })

  it('§2.1 requires a confidential client, or a bearer token with the permission', async () => {
    const client = await server.registerClient({})
    const { accessToken: token } = await grants.mint(client)
    expect((await forms.introspect({ token }, headerOf(client))).body['active']).toBe(true)
    const bearer = { authorization: `Bearer ${server.admin.token}` }
    expect((await forms.introspect({ token }, bearer)).body['active']).toBe(true)
    const nobody = await forms.introspect({ token })
    expect([nobody.status, nobody.body['error']]).toEqual([401, 'invalid_client'])
    const { clientId } = await grants.deviceClient()
    const anybody = await forms.introspect({ token, client_id: clientId })
    expect([anybody.status, anybody.body['error']]).toEqual([400, 'unauthorized_client'])
  })

  it('§2.2 returns the claims of an access token under the names of the RFC', async () => {
    const audiences = ['https://a.example', 'https://b.example']
    const client = await server.registerClient({ scopes: ['orders.read', 'orders.write'], audiences })
    const { accessToken: token, tokenId } = await grants.mint(client, { audiences })
    const { status, body, headers } = await forms.introspect(
      { token, token_type_hint: 'refresh_token' },
      headerOf(client),
    )
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body).toEqual({
      active: true,
      scope: 'orders.read orders.write',
      client_id: client.clientId,
      token_type: 'Bearer',
      exp: expect.any(Number),
      iat: expect.any(Number),
      sub: client.clientId,
      aud: audiences,
      iss: server.issuer,
      jti: tokenId,
    })
    expect(Number(body['exp']) - Number(body['iat'])).toSatisfy((left: number) => left >= 3_598 && left <= 3_601)
  })

  it('§2.2 returns a refresh token to its client, without a token type', async () => {
    const client = await grants.webClient()
    const { refreshToken: token } = await grants.signIn(client)
    const { body } = await forms.introspect({ token }, headerOf(client))
    expect(body).toMatchObject({ active: true, client_id: client.clientId })
    expect(body).not.toHaveProperty('token_type')
  })

  it('§2.2 returns only active: false for a revoked, hidden, malformed or unknown token', async () => {
    const client = await server.registerClient({})
    const foreign = await server.registerClient({ audiences: ['https://elsewhere.example'] })
    const revoked = await grants.mint(client)
    await forms.revoke({ token: revoked.accessToken }, headerOf(client))
    const { accessToken: hidden } = await grants.mint(foreign, { audiences: ['https://elsewhere.example'] })
    for (const token of [revoked.accessToken, hidden, 'garbage', server.unknownToken(), 'a\u0000b']) {
      const { status, text } = await forms.introspect({ token }, headerOf(client))
      expect([status, text]).toEqual([200, '{"active":false}'])
    }
  })

  describe('§2.3 errors', () => {
    it('a failed client authentication is answered with 401 and a challenge', async () => {
      const { clientId } = await server.registerClient({})
      const { status, body, headers } = await forms.introspect({ token: 'x' }, basic(clientId, 'wrong'))
      expect([status, body['error']]).toEqual([401, 'invalid_client'])
      expect(headers.get('www-authenticate')).toBe('Basic realm="qscope", charset="UTF-8"')
    })

    it('an invalid bearer token, and one without the permission, get the challenges of RFC 6750 §3', async () => {
      const bad = await forms.introspect({ token: 'x' }, { authorization: 'Bearer qat_nothing' })
      expect([bad.status, bad.headers.get('www-authenticate')]).toEqual([
        401,
        'Bearer realm="qscope", error="invalid_token"',
      ])
      const { accessToken } = await grants.mint(await server.registerClient({ scopes: ['orders.read'] }))
      const weak = await forms.introspect({ token: 'x' }, { authorization: `Bearer ${accessToken}` })
      expect([weak.status, weak.headers.get('www-authenticate')]).toEqual([
        403,
        'Bearer realm="qscope", error="insufficient_scope", scope="qscope:tokens.read"',
      ])
    })

    it('a missing token is an invalid request', async () => {
      const client = await server.registerClient({})
      const { status, body } = await forms.introspect({}, headerOf(client))
      expect([status, body['error']]).toEqual([400, 'invalid_request'])
    })
  })
}

onEveryBackend('RFC 7662 over HTTP', suite, { variables: HTTP_PORT })
