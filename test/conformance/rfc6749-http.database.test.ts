import { describe, expect, it } from 'vitest'
import { AuthenticationMethod, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { ASSERTION_TYPE, basic, type FormAnswer, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { grantsOn, REDIRECT_URI } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const TOKEN_FORM = /^q[ar]t_[0-9A-Za-z]{49}$/
const CHALLENGE = 'Basic realm="qscope", charset="UTF-8"'
/** RFC 6749 §5.2 and Appendix A.8. */
const DESCRIPTION = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/

const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)
  const service = (more = {}) =>
    server.registerClient({ scopes: ['orders.read', 'orders.write'], audiences: ['https://orders.example'], ...more })
  const mint = { grant_type: GRANT_TYPES.clientCredentials }
  const proofOf = ({ clientId, clientSecret }: { clientId: string; clientSecret: string }) => ({
    client_id: clientId,
    client_secret: clientSecret,
  })
  const expectNotKept = ({ headers }: FormAnswer) => {
    expect([headers.get('cache-control'), headers.get('pragma')]).toEqual(['no-store', 'no-cache'])
  }

  describe('§2.3 client authentication', () => {
    it('§2.3.1 accepts HTTP Basic', async () => {
      const { clientId, clientSecret } = await service()
      const { status, body } = await forms.token(mint, basic(clientId, clientSecret))
      expect([status, body['access_token']]).toEqual([200, expect.stringMatching(TOKEN_FORM)])
    })

    it('§2.3.1 accepts the secret in the body', async () => {
      expect((await forms.token({ ...mint, ...proofOf(await service()) })).status).toBe(200)
    })

    it('§2.3.1 refuses a secret in the URL', async () => {
      const query = new URLSearchParams(proofOf(await service()))
      const { status, body } = await forms.post(`/oauth2/token?${query}`, mint)
      expect([status, body['error']]).toEqual([400, 'invalid_request'])
    })

    it('§2.3 refuses a request with two methods of authentication', async () => {
      const { clientId, clientSecret } = await service()
      const assertion = { client_assertion: 'a.b.c', client_assertion_type: ASSERTION_TYPE }
      const twice = [
        forms.token({ ...mint, ...proofOf({ clientId, clientSecret }) }, basic(clientId, clientSecret)),
        forms.token({ ...mint, ...assertion }, basic(clientId, clientSecret)),
        forms.token({ ...mint, ...assertion, ...proofOf({ clientId, clientSecret }) }),
        forms.introspect({ token: 'x', client_id: clientId }, { authorization: `Bearer ${server.admin.token}` }),
      ]
      for (const { status, body } of await Promise.all(twice)) {
        expect([status, body['error']]).toEqual([400, 'invalid_request'])
      }
    })

    it('§3.2.1 refuses a client_id in the body that differs from the client of HTTP Basic', async () => {
      const { clientId, clientSecret } = await service()
      const other = await service()
      const header = basic(clientId, clientSecret)
      expect((await forms.token({ ...mint, client_id: clientId }, header)).status).toBe(200)
      const { status, body } = await forms.token({ ...mint, client_id: other.clientId }, header)
      expect([status, body['error']]).toEqual([400, 'invalid_request'])
    })

    it('§2.3.1 form-decodes the client id and the secret of HTTP Basic', async () => {
      const { clientId, clientSecret } = await service()
      const percent = (text: string) =>
        Array.from(text, (letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`).join('')
      const pair = Buffer.from(`${percent(clientId)}:${percent(clientSecret)}`).toString('base64')
      expect((await forms.token(mint, { authorization: `Basic ${pair}` })).status).toBe(200)
    })

    it('§3.2.1 identifies a public client by its client_id alone', async () => {
      const { clientId } = await grants.deviceClient()
      expect((await forms.device({ client_id: clientId })).status).toBe(200)
    })
  })

  describe('§3.2 the token endpoint', () => {
    it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])(
      'answers %s with 405, because only POST is allowed',
      async (method) => {
        const response = await fetch(`${server.httpUrl}/oauth2/token`, { method })
        expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
      },
    )

    it('treats parameters without a value as omitted', async () => {
      const proof = proofOf(await service())
      const empty = { scope: '', audience: '', resource: '', client_assertion: '', client_assertion_type: '' }
      const { status, body } = await forms.token({ ...mint, ...proof, ...empty })
      expect([status, body['scope']]).toEqual([200, 'orders.read orders.write'])
      const without = await forms.token({ ...mint, client_id: proof.client_id, client_secret: '' })
      expect([without.status, without.body['error']]).toEqual([401, 'invalid_client'])
    })

    it('ignores unknown parameters', async () => {
      const unknown = { foo: 'bar', '': 'x', ['__proto__']: 'y', constructor: 'z' }
      expect((await forms.token({ ...mint, ...proofOf(await service()), ...unknown })).status).toBe(200)
    })

    it.each([
      ['grant_type', 'client_credentials'],
      ['scope', 'orders.read'],
      ['client_id', 'x'],
      ['client_secret', 'x'],
      ['unknown', 'x'],
    ])('refuses %s if it occurs twice', async (name, value) => {
      const once = Object.entries({ ...mint, ...proofOf(await service()) }).filter(([key]) => key !== name)
      const { status, body } = await forms.token([...once, [name, value], [name, value]])
      expect([status, body['error']]).toEqual([400, 'invalid_request'])
      const again = await forms.token([...once, [name, value], [name, '']])
      expect([again.status, again.body['error']]).toEqual([400, 'invalid_request'])
    })
  })

  describe('§4.1.3 authorization code', () => {
    it('issues tokens for a code, and for its refresh token (§6)', async () => {
      const client = await grants.webClient()
      const { code, verifier = '', redirectUri } = await grants.createCode(client)
      const redeem = { grant_type: GRANT_TYPES.code, code, redirect_uri: redirectUri, code_verifier: verifier }
      const first = await forms.token(redeem, basic(client.clientId, client.clientSecret))
      expect(first.body).toEqual({
        access_token: expect.stringMatching(TOKEN_FORM),
        token_type: 'Bearer',
        expires_in: expect.any(Number),
        scope: 'orders.read orders.write',
        refresh_token: expect.stringMatching(TOKEN_FORM),
      })
      const refresh = { grant_type: GRANT_TYPES.refresh, refresh_token: String(first.body['refresh_token']) }
      const second = await forms.token({ ...refresh, ...proofOf(client), scope: 'orders.read' })
      expect([second.status, second.body['scope']]).toEqual([200, 'orders.read'])
      expect(second.body['refresh_token']).not.toBe(first.body['refresh_token'])
    })

    it('revokes the tokens of a code that is used a second time', async () => {
      const client = await grants.webClient()
      const { code, verifier = '' } = await grants.createCode(client)
      const redeem = { grant_type: GRANT_TYPES.code, code, redirect_uri: REDIRECT_URI, code_verifier: verifier }
      const first = await forms.token({ ...redeem, ...proofOf(client) })
      const second = await forms.token({ ...redeem, ...proofOf(client) })
      expect([second.status, second.body['error']]).toEqual([400, 'invalid_grant'])
      expect(await grants.isActive(String(first.body['access_token']))).toBe(false)
    })

    it.each(['code', 'redirect_uri'])('answers invalid_request if %s is missing', async (name) => {
      const client = await grants.webClient()
      const whole = { grant_type: GRANT_TYPES.code, code: 'x', redirect_uri: REDIRECT_URI, ...proofOf(client) }
      const { status, body } = await forms.token({ ...whole, [name]: '' })
      expect([status, body['error'], body['error_description']]).toEqual([
        400,
        'invalid_request',
        expect.stringContaining(`${name} is missing`),
      ])
    })

    it('refuses the verifier of another code with invalid_grant, and one that is too short with invalid_request (RFC 7636)', async () => {
      const client = await grants.webClient()
      const { code } = await grants.createCode(client)
      const redeem = { grant_type: GRANT_TYPES.code, code, redirect_uri: REDIRECT_URI, ...proofOf(client) }
      const other = await forms.token({ ...redeem, code_verifier: 'x'.repeat(43) })
      expect([other.status, other.body['error']]).toEqual([400, 'invalid_grant'])
      const short = await forms.token({ ...redeem, code_verifier: 'x' })
      expect([short.status, short.body['error']]).toEqual([400, 'invalid_request'])
    })
  })

  describe('§5.1 a successful response', () => {
    it('a successful response is JSON with the token, its type, lifetime and scope, and no refresh token (§4.4.3)', async () => {
      const answer = await forms.token({ ...mint, ...proofOf(await service()), scope: 'orders.read' })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('application/json')
      expect(answer.body).toEqual({
        access_token: expect.stringMatching(TOKEN_FORM),
        token_type: 'Bearer',
        expires_in: expect.any(Number),
        scope: 'orders.read',
      })
    })

    it('a successful response must not be cached', async () => {
      expectNotKept(await forms.token({ ...mint, ...proofOf(await service()) }))
    })
  })

  describe('§5.2 an error response', () => {
    it('an error response has an error code and a description in the permitted characters, and must not be cached', async () => {
      const proof = proofOf(await service())
      const wanted: readonly (readonly [Record<string, string>, number, string])[] = [
        [{ ...proof }, 400, 'invalid_request'],
        [{ ...mint, ...proof, client_secret: 'wrong' }, 401, 'invalid_client'],
        [{ ...mint }, 401, 'invalid_client'],
        [{ grant_type: GRANT_TYPES.code, code: 'x', redirect_uri: REDIRECT_URI, ...proof }, 400, 'unauthorized_client'],
        [{ grant_type: 'password', username: 'a', password: 'b', ...proof }, 400, 'unsupported_grant_type'],
        [{ grant_type: GRANT_TYPES.assertion, assertion: 'a.b.c' }, 400, 'unsupported_grant_type'],
        [{ ...mint, ...proof, scope: 'orders.read  orders.write' }, 400, 'invalid_scope'],
        [{ ...mint, ...proof, scope: 'zürich "quoted" \\' }, 400, 'invalid_scope'],
        [{ ...mint, ...proof, audience: 'https://elsewhere.example' }, 400, 'invalid_target'],
        [{ ...mint, ...proof, resource: 'no-uri' }, 400, 'invalid_target'],
      ]
      for (const [fields, status, error] of wanted) {
        const answer = await forms.token(fields)
        expect([answer.status, answer.body['error']]).toEqual([status, error])
        expect(answer.body['error_description']).toMatch(DESCRIPTION)
        expect(answer.headers.get('content-type')).toBe('application/json')
        expect(answer.headers.get('x-ray-id')).toMatch(/./)
        expectNotKept(answer)
      }
    })

    it('a failed authentication by HTTP Basic is answered with 401 and a challenge', async () => {
      const { clientId, clientSecret } = await service()
      const tried = await forms.token(mint, basic(clientId, 'wrong'))
      expect([tried.status, tried.headers.get('www-authenticate')]).toEqual([401, CHALLENGE])
      const malformed = await forms.token(mint, { authorization: 'Basic !' })
      expect([malformed.status, malformed.headers.get('www-authenticate')]).toEqual([401, CHALLENGE])
      const posted = await forms.token({ ...mint, client_id: clientId, client_secret: `${clientSecret}x` })
      expect([posted.status, posted.headers.get('www-authenticate')]).toEqual([401, null])
    })

    it('an unknown client, a wrong secret and a disabled client get the same answer', async () => {
      const known = await service()
      const disabled = await service()
      const { clientId } = disabled
      await server.call(ClientService.method.disableClient, { clientId }, { bearer: server.admin.token })
      const [unknown, wrong, off] = await Promise.all([
        forms.token({ ...mint, client_id: server.unique('nobody-'), client_secret: known.clientSecret }),
        forms.token({ ...mint, client_id: known.clientId, client_secret: 'wrong' }),
        forms.token({ ...mint, ...proofOf(disabled) }),
      ])
      expect(wrong).toMatchObject({ status: 401, text: unknown?.text })
      expect(off).toMatchObject({ status: 401, text: unknown?.text })
    })
  })

  describe('§4.4 client credentials', () => {
    it('§4.4.2 refuses client credentials for a public client', async () => {
      const { clientId } = await server.registerClient({
        type: ClientType.PUBLIC,
        grantTypes: [GrantType.DEVICE_CODE],
        scopes: ['films'],
      })
      const { status, body } = await forms.token({ ...mint, client_id: clientId })
      expect([status, body['error']]).toEqual([400, 'unauthorized_client'])
    })
  })

  describe('§4.5 extension grants', () => {
    it('accepts an extension grant by its absolute URI', async () => {
      const client = await grants.serviceClient()
      const { accessToken } = await grants.mint(client)
      const exchange = {
        grant_type: GRANT_TYPES.exchange,
        subject_token: accessToken,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }
      expect((await forms.token({ ...exchange, ...proofOf(client) })).status).toBe(200)
    })
  })

  describe('§10.3 logging', () => {
    it('a form is logged like a call over gRPC, with its ray id and without its secrets', async () => {
      const client = await service()
      const before = server.lines.length
      const answer = await forms.token({ ...mint, ...proofOf(client) }, { 'x-ray-id': 'forms-1' })
      expect(answer.headers.get('x-ray-id')).toBe('forms-1')
      const lines = server.lines.slice(before)
      const calls = lines.filter(({ msg }) => msg === 'call')
      expect(calls).toMatchObject([
        { rayId: 'forms-1', method: '/qscope.v1.TokenService/MintToken', code: 'OK', clientId: client.clientId },
      ])
      const [event] = await server.auditEvents({ clientId: client.clientId, eventTypes: ['token.issued'] })
      expect(event).toMatchObject({ rayId: 'forms-1', actor: client.clientId })
      expect(JSON.stringify(lines)).not.toContain(client.clientSecret)
      expect(JSON.stringify(lines)).not.toContain(answer.body['access_token'])
    })

    it('a malformed form is logged too', async () => {
      const before = server.lines.length
      await forms.token('grant_type=a&grant_type=b', { 'x-ray-id': 'forms-2' })
      await forms.introspect('token=a&token=b', { 'x-ray-id': 'forms-3' })
      const calls = server.lines.slice(before).filter(({ msg }) => msg === 'call')
      expect(calls).toMatchObject([
        { rayId: 'forms-2', method: '/oauth2/token', code: 'INVALID_ARGUMENT', reason: 'oauth.invalid_request' },
        { rayId: 'forms-3', method: '/qscope.v1.TokenService/IntrospectToken', reason: 'oauth.invalid_request' },
      ])
    })
  })

  describe('§2.3 with a key (RFC 7523 §2.2)', () => {
    const pair = signingPair('ES256')
    const keyClient = () => service({ authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT, jwks: jwksOf(pair) })
    const assertionOf = (clientId: string) =>
      signed(pair, { iss: clientId, sub: clientId, aud: server.issuer, exp: inSeconds(60), jti: crypto.randomUUID() })

    it('§2.3 client_id is optional beside an assertion', async () => {
      const { clientId } = await keyClient()
      for (const named of [{}, { client_id: clientId }]) {
        const proof = { client_assertion: await assertionOf(clientId), client_assertion_type: ASSERTION_TYPE }
        expect((await forms.token({ ...mint, ...proof, ...named })).status).toBe(200)
      }
    })

    it('§2.3 an assertion of another client, a used one and a malformed one are invalid_client', async () => {
      const { clientId } = await keyClient()
      const other = await keyClient()
      const type = { client_assertion_type: ASSERTION_TYPE }
      const assertion = await assertionOf(clientId)
      const spent = await assertionOf(clientId)
      expect((await forms.token({ ...mint, ...type, client_assertion: spent })).status).toBe(200)
      for (const proof of [
        { client_assertion: assertion, client_id: other.clientId },
        { client_assertion: spent },
        { client_assertion: 'a.b.c' },
        { client_assertion: `${assertion}x` },
      ]) {
        const { status, body } = await forms.token({ ...mint, ...type, ...proof })
        expect([status, body['error']]).toEqual([401, 'invalid_client'])
      }
    })

    it('§2.3 an assertion without its type, with another type, and a type without an assertion are refused', async () => {
      const { clientId } = await keyClient()
      for (const fields of [
        { client_assertion: await assertionOf(clientId) },
        { client_assertion: await assertionOf(clientId), client_assertion_type: 'urn:example:other' },
        { client_assertion_type: ASSERTION_TYPE },
      ]) {
        const { status, body } = await forms.token({ ...mint, ...fields })
        expect([status, body['error']]).toEqual([400, 'invalid_request'])
      }
    })
  })
}

onEveryBackend('RFC 6749 over HTTP', suite, { variables: HTTP_PORT })
