import { expect, it } from 'vitest'
import { onEveryBackend } from '../setup/backends.ts'
import { HTTP_PORT } from '../setup/forms.ts'
import type { TestServer } from '../setup/server.ts'

const PATH = '/.well-known/oauth-authorization-server'

const suite = (server: TestServer) => {
  const document = async (path = PATH) => {
    const response = await fetch(server.httpUrl + path)
    const body: Record<string, unknown> = JSON.parse(await response.text())
    return { response, body }
  }

  it('§2 names the issuer, and endpoints that respond', async () => {
    const { body } = await document()
    expect(body['issuer']).toBe(server.issuer)
    const endpoints = Object.entries(body).filter(([name]) => name.endsWith('_endpoint'))
    expect(endpoints.map(([name]) => name)).toEqual([
      'token_endpoint',
      'introspection_endpoint',
      'revocation_endpoint',
      'device_authorization_endpoint',
    ])
    for (const [, url] of endpoints) {
      const response = await fetch(String(url), {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
      expect([400, 401]).toContain(response.status)
      await response.arrayBuffer()
    }
    expect((await fetch(String(body['jwks_uri']))).status).toBe(200)
  })

  it('§2 lists the algorithms of private_key_jwt, without none', async () => {
    const { body } = await document()
    for (const name of ['token', 'introspection', 'revocation']) {
      expect(body[`${name}_endpoint_auth_methods_supported`]).toContain('private_key_jwt')
      expect(body[`${name}_endpoint_auth_signing_alg_values_supported`]).not.toContain('none')
    }
    expect(body['introspection_endpoint_auth_methods_supported']).not.toContain('none')
  })

  it('§3.1 is served at the well-known path, for GET and not POST', async () => {
    expect((await document()).response.status).toBe(200)
    expect((await fetch(server.httpUrl + PATH, { method: 'POST' })).status).toBe(405)
  })

  it('§3.2 is JSON without empty arrays', async () => {
    const { response, body } = await document()
    expect(response.headers.get('content-type')).toBe('application/json')
    for (const value of Object.values(body)) if (Array.isArray(value)) expect(value).not.toEqual([])
  })

  it('§5 is also served at the path of OpenID Connect Discovery, with the same members', async () => {
    const { body } = await document()
    expect((await document('/.well-known/openid-configuration')).body).toMatchObject(body)
  })
}

onEveryBackend('RFC 8414', suite, { variables: HTTP_PORT })
