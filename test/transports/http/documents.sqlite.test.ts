import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { KeyService, SigningAlgorithm } from '../../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { openHarness, tokenRoutes } from '../grpc/harness.ts'
import { startApplication } from './application.ts'
import { startHttp } from './harness.ts'

const harness = await openHarness()

const server = await startApplication({
  QSCOPE_ISSUER: 'https://auth.internal/tenants/one',
  QSCOPE_HTTP_URL: 'https://auth.internal:8443',
})
const get = (path: string, init: RequestInit = {}) => fetch(server.httpUrl + path, init)

/** Sends one raw request, and returns the whole answer. */
async function raw(url: string, request: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(request)
  return await text(socket)
}

describe('/healthz', () => {
  it('reports that the process is alive, even if it does not serve', async () => {
    server.app.state.setServing(false)
    const response = await get('/healthz')
    server.app.state.setServing(true)
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('ok\n')
    expect(response.headers.get('cache-control')).toBe('no-store')
  })
})

describe('/readyz', () => {
  it('follows the health of gRPC', async () => {
    expect((await get('/readyz')).status).toBe(200)
    server.app.state.setServing(false)
    const response = await get('/readyz')
    server.app.state.setServing(true)
    expect(response.status).toBe(503)
    expect(await response.text()).toContain('the database cannot be used')
  })
})

describe('/.well-known/jwks.json', () => {
  it('has exactly the keys of GetJsonWebKeySet, and may be cached for 300 s', async () => {
    for (const algorithm of [SigningAlgorithm.ES256, SigningAlgorithm.RS256, SigningAlgorithm.EDDSA]) {
      await server.call(KeyService.method.prepareSigningKey, { algorithm }, { bearer: server.admin.token })
    }
    const response = await get('/.well-known/jwks.json')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/jwk-set+json')
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    const { keys } = await server.call(TokenService.method.getJsonWebKeySet, {})
    const members = keys.map(({ $typeName, $unknown, ...key }) =>
      Object.entries(key).filter(([, value]) => value !== ''),
    )
    expect(keys).toHaveLength(3)
    expect(await response.json()).toEqual({ keys: members.map((each) => Object.fromEntries(each)) })
  })
})

describe('/.well-known/oauth-authorization-server', () => {
  it("describes the server's capabilities, without missing endpoints (RFC 8414 §2)", async () => {
    const response = await get('/.well-known/oauth-authorization-server')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({
      issuer: 'https://auth.internal/tenants/one',
      token_endpoint: 'https://auth.internal:8443/oauth2/token',
      introspection_endpoint: 'https://auth.internal:8443/oauth2/introspect',
      introspection_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
        'Bearer',
      ],
      introspection_endpoint_auth_signing_alg_values_supported: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      introspection_signing_alg_values_supported: ['ES256', 'EdDSA', 'RS256'],
      revocation_endpoint: 'https://auth.internal:8443/oauth2/revoke',
      revocation_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
        'none',
      ],
      revocation_endpoint_auth_signing_alg_values_supported: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      device_authorization_endpoint: 'https://auth.internal:8443/oauth2/device_authorization',
      jwks_uri: 'https://auth.internal:8443/.well-known/jwks.json',
      scopes_supported: expect.arrayContaining(['qscope:clients.write', 'qscope:tokens.read']),
      response_types_supported: ['code'],
      grant_types_supported: [
        'authorization_code',
        'client_credentials',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
        'urn:ietf:params:oauth:grant-type:token-exchange',
        'urn:ietf:params:oauth:grant-type:jwt-bearer',
      ],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
      token_endpoint_auth_signing_alg_values_supported: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      tls_client_certificate_bound_access_tokens: false,
    })
  })

  it('is also served at the path for the issuer (RFC 8414 §3.1), and not for another', async () => {
    const there = await get('/.well-known/oauth-authorization-server/tenants/one')
    expect(await there.text()).toBe(await (await get('/.well-known/oauth-authorization-server')).text())
    expect((await get('/.well-known/oauth-authorization-server/tenants/two')).status).toBe(404)
  })
})

describe('/.well-known/openid-configuration', () => {
  it('has all of the metadata and the required members of OpenID Connect Discovery', async () => {
    const oauth = JSON.parse(await (await get('/.well-known/oauth-authorization-server')).text())
    const openid = await (await get('/.well-known/openid-configuration')).json()
    expect(openid).toEqual({
      ...oauth,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256', 'EdDSA', 'RS256'],
      claims_supported: expect.arrayContaining(['iss', 'sub', 'aud', 'exp', 'iat']),
    })
  })

  it('is served at the paths of both specifications for an issuer with a path', async () => {
    const there = await get('/tenants/one/.well-known/openid-configuration')
    expect(there.status).toBe(200)
    expect((await get('/.well-known/openid-configuration/tenants/one')).status).toBe(200)
    expect((await get('/tenants/two/.well-known/openid-configuration')).status).toBe(404)
  })
})

describe('without QSCOPE_HTTP_OAUTH', () => {
  it('the metadata names no endpoints for forms, and these are 404', async () => {
    const off = await startApplication({ QSCOPE_HTTP_OAUTH: 'off' })
    const document = await (await fetch(`${off.httpUrl}/.well-known/oauth-authorization-server`)).json()
    expect(Object.keys(document as object).filter((name) => name.includes('_endpoint'))).toEqual([
      'token_endpoint_auth_methods_supported',
      'token_endpoint_auth_signing_alg_values_supported',
    ])
    for (const path of ['token', 'introspect', 'revoke', 'device_authorization']) {
      expect((await fetch(`${off.httpUrl}/oauth2/${path}`, { method: 'POST' })).status).toBe(404)
    }
  })
})

describe('/metrics', () => {
  it('returns the metrics of its source', async () => {
    const contentType = 'text/plain; version=0.0.4; charset=utf-8'
    const { url } = await startHttp(harness, tokenRoutes(), { metrics: async () => ({ contentType, text: 'up 1\n' }) })
    const response = await fetch(`${url}/metrics`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(contentType)
    expect(await response.text()).toBe('up 1\n')
  })

  it('does not exist without one', async () => {
    expect((await fetch(`${(await startHttp(harness, tokenRoutes())).url}/metrics`)).status).toBe(404)
  })

  it('logs a failure as an internal error, without details for the caller', async () => {
    const broken = async () => {
      throw new Error('no numbers today')
    }
    const { url, lines } = await startHttp(harness, tokenRoutes(), { metrics: broken })
    const response = await fetch(`${url}/metrics`)
    expect(response.status).toBe(500)
    expect(await response.text()).toBe('internal error\n')
    expect(JSON.stringify(lines)).toContain('no numbers today')
  })
})

const DOCUMENTS = [
  '/healthz',
  '/readyz',
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
]

describe.each(DOCUMENTS)('%s', (path) => {
  it('answers HEAD like GET, without the document', async () => {
    const [head, full] = [await get(path, { method: 'HEAD' }), await get(path)]
    expect(head.status).toBe(full.status)
    expect(head.headers.get('content-length')).toBe(String((await full.arrayBuffer()).byteLength))
    expect(await head.text()).toBe('')
  })

  it('refuses other methods, and lists the allowed ones', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await get(path, { method })
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    }
  })

  it('ignores a query', async () => {
    expect((await get(`${path}?x=1`)).status).toBe(200)
  })

  it('has a ray id, and disables content type sniffing', async () => {
    const { headers } = await get(path, { headers: { 'x-ray-id': 'probe-1' } })
    expect(headers.get('x-ray-id')).toBe('probe-1')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })
})

describe('unknown paths, methods and types', () => {
  it.each(['/', '/index.html', '/qscope.v1.TokenService/Nothing', '/qscope.v1.TokenService', '/healthz/', '/HEALTHZ'])(
    '%s is not found',
    async (path) => {
      expect((await get(path)).status).toBe(404)
      expect((await get(path, { method: 'POST', body: '{}' })).status).toBe(404)
    },
  )

  it.each([
    '/../healthz',
    '/./healthz',
    '//healthz',
    '/%68ealthz',
    '/x/../../etc/passwd',
    '/..%2fhealthz',
    '*',
    'healthz',
  ])('another spelling of a path is not found: %s', async (path) => {
    const answer = await raw(server.httpUrl, `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /)
  })

  it('a request target in absolute form is accepted (RFC 9112 §3.2.2)', async () => {
    const request = 'GET http://localhost/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
    expect(await raw(server.httpUrl, request)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('a call requires POST, or allows GET if its method has no side effects and no secret', async () => {
    const minting = await get('/qscope.v1.TokenService/MintToken')
    expect([minting.status, minting.headers.get('allow')]).toEqual([405, 'POST'])
    const query = `encoding=json&message=${encodeURIComponent('{}')}`
    expect((await get(`/qscope.v1.TokenService/GetJsonWebKeySet?${query}`)).status).toBe(200)
  })

  it('a call requires a content type of Connect or gRPC-Web', async () => {
    for (const type of ['text/plain', 'application/grpc', 'application/x-www-form-urlencoded', 'application/jsonp']) {
      const request = { method: 'POST', headers: { 'content-type': type }, body: '{}' }
      expect((await get('/qscope.v1.TokenService/MintToken', request)).status).toBe(415)
    }
  })
})
