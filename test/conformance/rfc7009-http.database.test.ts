import { expect, it } from 'vitest'
import { onEveryBackend } from '../setup/backends.ts'
import { basic, formsOn, HTTP_PORT } from '../setup/forms.ts'
import { grantsOn } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)
  async function minted() {
    const { clientId, clientSecret, client } = await server.registerClient({ scopes: ['orders.read'] })
    const { accessToken } = await grants.mint({ client })
    return { header: basic(clientId, clientSecret), token: accessToken, clientId }
  }

  it('§2.1 a revoked token is inactive in the very next call', async () => {
    const { header, token } = await minted()
    const { status, text } = await forms.revoke({ token }, header)
    expect([status, text]).toEqual([200, ''])
    expect(await grants.isActive(token)).toBe(false)
  })

  it('§2.1 authenticates the client first, and refuses another client’s token', async () => {
    const { token, clientId } = await minted()
    const thief = await minted()
    const unproved = await forms.revoke({ token, client_id: clientId, client_secret: 'wrong' })
    expect([unproved.status, unproved.body['error']]).toEqual([401, 'invalid_client'])
    const foreign = await forms.revoke({ token }, thief.header)
    expect([foreign.status, foreign.body['error']]).toEqual([400, 'invalid_grant'])
    expect(await grants.isActive(token)).toBe(true)
  })

  it('§2.1 revoking a refresh token revokes its access tokens, whatever the hint', async () => {
    const client = await grants.webClient()
    const { accessToken, refreshToken } = await grants.signIn(client)
    const fields = { token: refreshToken, token_type_hint: 'access_token' }
    expect((await forms.revoke(fields, basic(client.clientId, client.clientSecret))).status).toBe(200)
    expect(await grants.isActive(accessToken)).toBe(false)
  })

  it('§2.1 lets a public client revoke its own token', async () => {
    const client = await grants.nativeClient()
    const { refreshToken, accessToken } = await grants.signIn(client)
    expect((await forms.revoke({ token: refreshToken, client_id: client.clientId })).status).toBe(200)
    expect(await grants.isActive(accessToken)).toBe(false)
  })

  it('§2.2 answers 200 for an unknown, malformed or revoked token', async () => {
    const { header, token } = await minted()
    for (const each of [token, token, 'garbage', server.unknownToken(), 'a\u0000b', 'ü'.repeat(2_000)]) {
      expect((await forms.revoke({ token: each }, header)).status).toBe(200)
    }
  })

  it('§2.2.1 answers invalid_request if the token is missing', async () => {
    const { header } = await minted()
    const { status, body } = await forms.revoke({}, header)
    expect([status, body['error']]).toEqual([400, 'invalid_request'])
  })
}

onEveryBackend('RFC 7009 over HTTP', suite, { variables: HTTP_PORT })
