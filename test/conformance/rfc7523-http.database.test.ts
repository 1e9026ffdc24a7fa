import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { inSeconds } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { jwtPlatform, workload } from '../setup/federated.ts'
import { ASSERTION_TYPE, basic, type FormAnswer, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { ACCESS_TOKEN_TYPE, grantsOn, REDIRECT_URI } from '../setup/grants.ts'

type Fields = Readonly<Record<string, string>>

onEveryBackend(
  'RFC 7523, client authentication by the assertion of a platform over HTTP',
  (server) => {
    const forms = formsOn(server)
    const grants = grantsOn(server)

    /** A workload with every grant, and an access and a refresh token of a user who has signed in. */
    async function signedIn() {
      const registration = {
        grantTypes: [
          GrantType.AUTHORIZATION_CODE,
          GrantType.REFRESH_TOKEN,
          GrantType.TOKEN_EXCHANGE,
          GrantType.CLIENT_CREDENTIALS,
        ],
        redirectUris: [REDIRECT_URI],
      }
      const { clientId, assertion, ...rest } = await workload(server, await jwtPlatform(server), registration)
      const value = await assertion()
      const form = { client_id: clientId, client_assertion_type: ASSERTION_TYPE, client_assertion: value }
      const { code, verifier = '' } = await grants.createCode({ clientId })
      const answer = await forms.token({
        ...form,
        grant_type: GRANT_TYPES.code,
        code,
        code_verifier: verifier,
        redirect_uri: REDIRECT_URI,
      })
      const { access_token: accessToken, refresh_token: refreshToken } = answer.body
      return {
        ...rest,
        clientId,
        assertion,
        form,
        json: { clientId, clientAssertion: value },
        accessToken: String(accessToken),
        refreshToken: String(refreshToken),
      }
    }
    type SignedIn = Awaited<ReturnType<typeof signedIn>>

    /** The requests of the endpoints, without the parameters of client authentication. */
    const REQUESTS: Readonly<Record<string, (tokens: SignedIn) => readonly [path: string, fields: Fields]>> = {
      'client credentials': () => ['/oauth2/token', { grant_type: GRANT_TYPES.clientCredentials }],
      refresh: ({ refreshToken }) => [
        '/oauth2/token',
        { grant_type: GRANT_TYPES.refresh, refresh_token: refreshToken },
      ],
      'token exchange': ({ accessToken }) => [
        '/oauth2/token',
        { grant_type: GRANT_TYPES.exchange, subject_token: accessToken, subject_token_type: ACCESS_TOKEN_TYPE },
      ],
      introspection: ({ accessToken }) => ['/oauth2/introspect', { token: accessToken }],
      revocation: ({ refreshToken }) => ['/oauth2/revoke', { token: refreshToken }],
    }
    const ENDPOINTS = Object.entries(REQUESTS)

    const headersOf = ({ headers }: FormAnswer) => [
      headers.get('content-type'),
      headers.get('cache-control'),
      headers.get('pragma'),
      headers.get('www-authenticate'),
    ]
    const JSON_HEADERS = ['application/json', 'no-store', 'no-cache', null]

    it('§2.2 the token endpoint answers each grant of a client that its platform authenticates', async () => {
      const client = await signedIn()
      const token = { access_token: expect.any(String), token_type: 'Bearer', expires_in: expect.any(Number) }
      const answers: Readonly<Record<string, object>> = {
        'client credentials': { ...token, scope: 'orders.read' },
        'token exchange': { ...token, scope: 'orders.read', issued_token_type: ACCESS_TOKEN_TYPE },
        refresh: { ...token, scope: 'orders.read', refresh_token: expect.any(String) },
      }
      for (const [grant, body] of Object.entries(answers)) {
        const [path, fields] = REQUESTS[grant]?.(client) ?? ['', {}]
        const answer = await forms.post(path, { ...fields, ...client.form })
        expect([grant, answer.status, answer.body]).toEqual([grant, 200, body])
        expect(headersOf(answer)).toEqual(JSON_HEADERS)
      }
    })

    it('§2.2 the introspection and the revocation endpoint answer the client', async () => {
      const { form, clientId, accessToken, refreshToken } = await signedIn()
      const active = await forms.introspect({ ...form, token: accessToken })
      expect([active.status, ...headersOf(active)]).toEqual([200, ...JSON_HEADERS])
      expect(active.body).toMatchObject({ active: true, client_id: clientId, scope: 'orders.read' })
      const revoked = await forms.revoke({ ...form, token: refreshToken })
      expect([revoked.status, revoked.text, revoked.headers.get('cache-control')]).toEqual([200, '', 'no-store'])
      for (const token of [accessToken, refreshToken]) {
        expect((await forms.introspect({ ...form, token })).text).toBe('{"active":false}')
      }
    })

    it.each(ENDPOINTS)(
      '§3.2 %s: an assertion that proves nothing is invalid_client, and changes nothing',
      async (_what, request) => {
        const client = await signedIn()
        const { form, assertion, accessToken, refreshToken } = client
        const [path, fields] = request(client)
        const stranger = await workload(server, await jwtPlatform(server))
        const values = [
          await assertion({ aud: `${server.httpUrl}${path}` }),
          await assertion({ exp: inSeconds(-1) }),
          await assertion({ sub: randomUUID() }),
          await stranger.assertion(),
          'garbage',
        ]
        for (const value of values) {
          const answer = await forms.post(path, { ...fields, ...form, client_assertion: value })
          expect([answer.status, answer.body['error'], ...headersOf(answer)]).toEqual([
            401,
            'invalid_client',
            ...JSON_HEADERS,
          ])
        }
        expect((await forms.introspect({ ...form, token: accessToken })).body['active']).toBe(true)
        expect((await forms.introspect({ ...form, token: refreshToken })).body['active']).toBe(true)
      },
    )

    it.each(ENDPOINTS)('§2.2 %s: an incomplete or a second proof is invalid_request', async (_what, request) => {
      const client = await signedIn()
      const { clientId, form } = client
      const [path, fields] = request(client)
      const { client_assertion, client_assertion_type } = form
      const attempts: readonly (readonly [Fields, Fields?])[] = [
        [{ client_id: clientId, client_assertion }],
        [{ client_id: clientId, client_assertion_type }],
        [{ ...form, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' }],
        [{ ...form, client_secret: 'x' }],
        [form, basic(clientId, 'x')],
      ]
      for (const [proof, headers] of attempts) {
        const { status, body } = await forms.post(path, { ...fields, ...proof }, headers)
        expect([proof, status, body['error']]).toEqual([proof, 400, 'invalid_request'])
      }
    })

    const call = async (method: string, message: object) => {
      const response = await fetch(`${server.httpUrl}/qscope.v1.TokenService/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(message),
      })
      return { status: response.status, cached: response.headers.get('cache-control'), body: await response.json() }
    }

    /** The same requests as JSON, and what shows that they succeed. */
    const CALLS: readonly (readonly [method: string, message: (tokens: SignedIn) => object, answer: object])[] = [
      ['MintToken', () => ({}), { token: { accessToken: expect.any(String) } }],
      ['VerifyToken', ({ accessToken: token }) => ({ token }), { claims: { scopes: ['orders.read'] } }],
      ['IntrospectToken', ({ accessToken: token }) => ({ token }), { active: true }],
      [
        'ExchangeToken',
        ({ accessToken: subjectToken }) => ({ subjectToken, subjectTokenType: ACCESS_TOKEN_TYPE }),
        { token: { issuedTokenType: ACCESS_TOKEN_TYPE } },
      ],
      ['RefreshToken', ({ refreshToken }) => ({ refreshToken }), { token: { refreshToken: expect.any(String) } }],
      ['RevokeToken', ({ accessToken: token }) => ({ token }), {}],
    ]

    it.each(CALLS)(
      '§2.2 %s as JSON: the assertion authenticates the client, and another one is unauthenticated',
      async (method, message, answer) => {
        const client = await signedIn()
        const refused = await call(method, {
          ...message(client),
          client: { ...client.json, clientAssertion: await client.assertion({ aud: 'https://other.example' }) },
        })
        const info = expect.objectContaining({
          type: 'google.rpc.ErrorInfo',
          debug: expect.objectContaining({
            reason: 'OAUTH_INVALID_CLIENT',
            metadata: { oauth_error: 'invalid_client' },
          }),
        })
        expect(refused).toMatchObject({
          status: 401,
          cached: 'no-store',
          body: { code: 'unauthenticated', details: expect.arrayContaining([info]) },
        })
        const { status, cached, body } = await call(method, { ...message(client), client: client.json })
        expect([method, status, cached]).toEqual([method, 200, 'no-store'])
        expect(body).toMatchObject(answer)
      },
    )
  },
  { variables: { ...LIMITS_OFF, ...HTTP_PORT } },
)
