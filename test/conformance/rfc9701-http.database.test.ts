import { createLocalJWKSet, jwtVerify } from 'jose'
import { expect, it } from 'vitest'
import { AccessTokenFormat } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { basic, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { ACCESS_TOKEN_TYPE, grantsOn } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const TYPE = 'application/token-introspection+jwt'

const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)
  async function asked(token: string | null = null) {
    const client = await grants.serviceClient()
    const presented = token ?? (await grants.mint(client)).accessToken
    const header = { ...basic(client.clientId, client.clientSecret), accept: TYPE }
    return { ...client, token: presented, answer: await forms.introspect({ token: presented }, header) }
  }
  async function verified(jwt: string) {
    const keys = JSON.parse(await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).text())
    return await jwtVerify(jwt, createLocalJWKSet(keys), { issuer: server.issuer, typ: 'token-introspection+jwt' })
  }

  it('§4 signs the answer if the accept header asks for it, and answers in JSON otherwise', async () => {
    const { token, clientId, clientSecret, answer } = await asked()
    expect(answer.headers.get('content-type')).toBe(TYPE)
    const header = basic(clientId, clientSecret)
    for (const accept of [
      '*/*',
      'application/json',
      'application/*',
      `${TYPE};q=0, application/json`,
      'a'.repeat(500),
    ]) {
      const plain = await forms.introspect({ token }, { ...header, accept })
      expect(plain.headers.get('content-type')).toBe('application/json')
    }
    for (const accept of [`application/json;q=0.1, ${TYPE}`, TYPE.toUpperCase(), `${TYPE};q=0.5`]) {
      const signed = await forms.introspect({ token }, { ...header, accept })
      expect(signed.headers.get('content-type')).toBe(TYPE)
    }
  })

  it('§5 contains the plain answer, names the caller as audience, and has no sub or exp of its own', async () => {
    const { token, clientId, clientSecret, answer } = await asked()
    const { payload } = await verified(answer.text)
    const plain = await forms.introspect({ token }, basic(clientId, clientSecret))
    expect(payload).toEqual({
      iss: server.issuer,
      aud: clientId,
      iat: expect.any(Number),
      token_introspection: plain.body,
    })
    expect([answer.headers.get('cache-control'), answer.headers.get('pragma')]).toEqual(['no-store', 'no-cache'])
  })

  it('§5 refuses an unauthenticated caller, with an unsigned answer', async () => {
    const { status, headers, body } = await forms.introspect({ token: 'x' }, { accept: TYPE })
    expect([status, headers.get('content-type'), body['error']]).toEqual([401, 'application/json', 'invalid_client'])
  })

  it('§5 has no audience if the caller authenticates with a bearer token', async () => {
    const { accessToken: token } = await grants.mint(await grants.serviceClient())
    const bearer = { authorization: `Bearer ${server.admin.token}`, accept: TYPE }
    const { payload } = await verified((await forms.introspect({ token }, bearer)).text)
    expect(payload).not.toHaveProperty('aud')
    expect(payload['token_introspection']).toMatchObject({ active: true })
  })

  it('§5 contains only active: false for an inactive token', async () => {
    const { answer } = await asked('garbage')
    expect((await verified(answer.text)).payload['token_introspection']).toEqual({ active: false })
  })

  it('§8.1 a signed introspection is not accepted as an access token, subject token or actor token', async () => {
    const { answer, client, clientId, clientSecret } = await asked()
    const jwt = answer.text
    expect(await grants.isActive(jwt)).toBe(false)
    const { clientId: named } = await grants.serviceClient()
    expect(
      (await refusalOf(server.call(ClientService.method.getClient, { clientId: named }, { bearer: jwt }))).reason,
    ).toBe('OAUTH_INVALID_TOKEN')
    expect((await refusalOf(server.call(TokenService.method.verifyToken, { client, token: jwt }))).reason).toBe(
      'OAUTH_INVALID_TOKEN',
    )
    const header = basic(clientId, clientSecret)
    const exchange = { grant_type: GRANT_TYPES.exchange, subject_token: jwt, subject_token_type: ACCESS_TOKEN_TYPE }
    const { status, body } = await forms.token(exchange, header)
    expect([status, body['error']]).toEqual([400, 'invalid_request'])
    const own = await grants.mint({ client })
    const acting = {
      ...exchange,
      subject_token: own.accessToken,
      actor_token: jwt,
      actor_token_type: ACCESS_TOKEN_TYPE,
    }
    expect((await forms.token(acting, header)).body['error']).toBe('invalid_request')
  })

  it('§8.1 an access token is not accepted as a signed introspection', async () => {
    const jwtClient = await server.registerClient({ config: { accessTokenFormat: AccessTokenFormat.JWT } })
    const { accessToken } = await grants.mint(jwtClient)
    await expect(verified(accessToken)).rejects.toThrow('"typ"')
  })

  it('§5 is requested by a field over gRPC', async () => {
    const { client, token } = await asked()
    const { signedIntrospection, claims } = await server.call(TokenService.method.introspectToken, {
      client,
      token,
      signed: true,
    })
    const { payload } = await verified(signedIntrospection ?? '')
    expect(payload['token_introspection']).toMatchObject({ active: true, jti: claims?.tokenId })
    expect(
      (await server.call(TokenService.method.introspectToken, { client, token })).signedIntrospection,
    ).toBeUndefined()
  })

  it('§7 the metadata lists the signing algorithms', async () => {
    const metadata = await fetch(`${server.httpUrl}/.well-known/oauth-authorization-server`)
    const { introspection_signing_alg_values_supported: algorithms } = JSON.parse(await metadata.text())
    expect(algorithms).toEqual(['ES256', 'EdDSA', 'RS256'])
  })
}

onEveryBackend('RFC 9701', suite, { variables: HTTP_PORT })
