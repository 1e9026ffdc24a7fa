import type { DescMessage, DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { SERVICES } from '../../../scripts/service-config.ts'
import { GrantType } from '../../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../../src/gen/qscope/v1/device_service_pb.ts'
import { CodeChallengeMethod, TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { type Refused, refusalOf, type Sent } from '../../setup/client.ts'
import { ASSERTION_TYPE, basic, type Fields, formsOn, GRANT_TYPES } from '../../setup/forms.ts'
import { ACCESS_TOKEN_TYPE, REDIRECT_URI } from '../../setup/grants.ts'
import { post, startApplication } from './application.ts'

const server = await startApplication({
  QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: 'off',
  QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off',
})
const asAdmin = { bearer: server.admin.token }
const { clientId, clientSecret, client } = await server.registerClient({
  grantTypes: [
    GrantType.CLIENT_CREDENTIALS,
    GrantType.AUTHORIZATION_CODE,
    GrantType.REFRESH_TOKEN,
    GrantType.TOKEN_EXCHANGE,
  ],
  redirectUris: [REDIRECT_URI],
  scopes: ['orders.read'],
})
const { token: nativeToken } = await server.call(TokenService.method.mintToken, { client })
const SECRET = server.unknownToken()
const user = { id: { case: 'externalId' as const, value: 'ada' } }
const exchange = { client, subjectToken: nativeToken?.accessToken ?? '', subjectTokenType: ACCESS_TOKEN_TYPE }

/** Checks that the message, the details or both name the field, and that neither repeats a secret. */
function expectNamed(refused: Refused, field: string, expectation: RegExp) {
  const said = refused.message.slice(refused.message.indexOf(':') + 2)
  expect(said).toContain(`${field === '' ? 'the request' : field} `)
  expect(said).toMatch(expectation)
  expect(refused.violations).toContain(field)
  for (const { description } of refused.details.badRequest?.fieldViolations ?? []) expect(description).not.toBe('')
  expect(said).not.toContain(SECRET)
}

function refused<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  sent: Sent = {},
): () => Promise<Refused> {
  return () => refusalOf(server.call(method, request, sent))
}

const { mintToken, exchangeToken, createAuthorizationCode, listTokens, revokeTokens } = TokenService.method
const { registerClient, updateClient, explainMint } = ClientService.method
const code = { clientId, user, redirectUri: REDIRECT_URI }

describe('the refusal of a malformed request over gRPC names the field and the correction', () => {
  it.each<readonly [string, () => Promise<Refused>, string, RegExp]>([
    ['a lifetime of none', refused(mintToken, { client, lifetime: { seconds: 0n } }), 'lifetime', /must be/],
    [
      'a lifetime beyond the client’s',
      refused(mintToken, { client, lifetime: { seconds: 86_000n } }),
      'lifetime',
      /most/,
    ],
    ['a long scope', refused(mintToken, { client, scopes: ['x'.repeat(129)] }), 'scopes[0]', /at most 128 characters/],
    [
      'a client that is named twice',
      refused(mintToken, { client }, { basic: [clientId, SECRET] }),
      'client',
      /client is a second way.*authorization is a second way to authenticate the call; send only one/,
    ],
    [
      'two clients',
      refused(mintToken, { client: { clientId: 'other' } }, { basic: [clientId, SECRET] }),
      'client.client_id',
      /does not name the same client/,
    ],
    [
      'a client without an id',
      refused(mintToken, { client: { clientId: '' } }),
      'client.client_id',
      /must not be empty/,
    ],
    [
      'a page token of another list',
      refused(listTokens, { pageToken: SECRET }, asAdmin),
      'page_token',
      /must be the next_page_token of the previous page/,
    ],
    ['nothing to revoke', refused(revokeTokens, {}, asAdmin), 'target', /exactly one of token_id, client_id/],
    ['no grant to explain', refused(explainMint, { clientId }, asAdmin), 'grant_type', /must|required/],
    ['no client to change', refused(updateClient, {}, asAdmin), 'client', /must be set/],
    [
      'a path that is no field',
      refused(updateClient, { client: { clientId }, updateMask: { paths: [SECRET, 'nme'] } }, asAdmin),
      'update_mask',
      /nme: is not a field/,
    ],
    [
      'another redirect URI',
      refused(createAuthorizationCode, { ...code, redirectUri: 'https://else.example' }, asAdmin),
      'redirect_uri',
      /is not registered/,
    ],
    [
      'a challenge of no method',
      refused(createAuthorizationCode, { ...code, codeChallenge: 'a'.repeat(43) }, asAdmin),
      'code_challenge_method',
      /must be S256/,
    ],
    [
      'a challenge that is none',
      refused(
        createAuthorizationCode,
        { ...code, codeChallenge: SECRET, codeChallengeMethod: CodeChallengeMethod.S256 },
        asAdmin,
      ),
      'code_challenge',
      /must be 43 characters/,
    ],
    [
      'an unknown subject',
      refused(exchangeToken, { ...exchange, subjectToken: SECRET }),
      'subject_token',
      /is not accept/,
    ],
    [
      'a subject of another type',
      refused(exchangeToken, { ...exchange, subjectTokenType: 'x' }),
      'subject_token_type',
      /must be urn:/,
    ],
    [
      'a wish for another type',
      refused(exchangeToken, { ...exchange, requestedTokenType: 'x' }),
      'requested_token_type',
      /must be urn:/,
    ],
    [
      'a type of no actor',
      refused(exchangeToken, { ...exchange, actorTokenType: ACCESS_TOKEN_TYPE }),
      'actor_token_type',
      /must be absent without an actor_token/,
    ],
    [
      'a user code that is none',
      refused(DeviceService.method.getDeviceAuthorization, { userCode: 'AEIOU', attemptKey: 'a' }, asAdmin),
      'user_code',
      /eight letters/,
    ],
    [
      'a redirect URI that is none',
      refused(registerClient, { clientId: 'new-one', type: 1, grantTypes: [1], redirectUris: ['/here'] }, asAdmin),
      'redirect_uris[0]',
      /./,
    ],
    [
      'a registration that contradicts itself',
      refused(registerClient, { clientId: 'new-one', type: 2, grantTypes: [2] }, asAdmin),
      'grant_types',
      /public/i,
    ],
  ])('%s', async (_what, call, field, expectation) => {
    expectNamed(await call(), field, expectation)
  })
})

describe('the refusal of a malformed request in JSON names the field and the correction', () => {
  it.each<readonly [string, string | Uint8Array, string, string]>([
    ['TokenService/MintToken', '{"scopes": [7]}', 'scopes', 'must be a list of strings'],
    ['TokenService/MintToken', '{"scopes": "orders.read"}', 'scopes', 'must be a list of strings'],
    ['TokenService/MintToken', '{"lifetime": "5 minutes"}', 'lifetime', 'must be a duration in seconds such as "300s"'],
    ['TokenService/MintToken', '{"client": []}', 'client', 'must be an object'],
    ['TokenService/MintToken', '{"scope": []}', 'scope', 'is not a field of the request'],
    ['TokenService/MintToken', '{"client":', 'client', 'must be an object'],
    ['TokenService/MintToken', '[]', 'the request', 'must be a valid JSON object'],
    ['TokenService/MintToken', '{"client": {}', 'the request', 'must be a valid JSON object'],
    ['TokenService/MintToken', new Uint8Array([0x7b, 0xff, 0x7d]), 'the request', 'must be a valid JSON object'],
    ['TokenService/MintToken', '{"lifetime": "1s", "lifetime": "2s"}', 'lifetime', 'is set more than once'],
    [
      'ClientService/RegisterClient',
      '{"type": "PRIVATE"}',
      'type',
      'must be one of CLIENT_TYPE_CONFIDENTIAL, CLIENT_TYPE_PUBLIC',
    ],
    [
      'ClientService/RegisterClient',
      '{"config": {"requirePkce": "no"}}',
      'config.require_pkce',
      'must be true or false',
    ],
    [
      'ClientService/RegisterClient',
      '{"config": {"metadata": {"team": 7}}}',
      'config.metadata',
      'must be an object whose values are strings',
    ],
    ['ClientService/ListClients', '{"pageSize": "many"}', 'page_size', 'must be a number'],
    [
      'AuditService/ListAuditEvents',
      '{"startTime": "today"}',
      'start_time',
      'must be a time such as "2026-01-31T12:00:00Z"',
    ],
    ['ClientService/UpdateClient', '{"updateMask": ["scopes"]}', 'update_mask', 'must be one string of field paths'],
  ])('%s %s', async (method, body, field, expectation) => {
    const { status, json } = await post(server.httpUrl, method, body, { authorization: `Bearer ${server.admin.token}` })
    expect(status).toBe(400)
    expect(String(Reflect.get(Object(json), 'message'))).toContain(`: ${field} ${expectation}`)
  })
})

it('every method that refuses an empty request names the missing field', async () => {
  const methods = SERVICES.flatMap((service) => service.methods).filter(({ methodKind }) => methodKind === 'unary')
  const refusals: string[] = []
  for (const { parent, name } of methods) {
    const authorization = `Bearer ${server.admin.token}`
    const { status, json, text } = await post(server.httpUrl, `${parent.name}/${name}`, {}, { authorization })
    if (status === 400 && text.includes('OAUTH_INVALID_REQUEST'))
      refusals.push(`${name}: ${Reflect.get(Object(json), 'message')}`)
  }
  expect(refusals.length).toBeGreaterThan(20)
  expect(refusals.filter((refusal) => !/: [a-z_.]+ must (?:not )?be .+\. Correct/.test(refusal))).toEqual([])
})

describe('the refusal of a malformed form names the parameter and the correction', () => {
  const forms = formsOn(server)
  const proof = basic(clientId, clientSecret)
  const mint = { grant_type: GRANT_TYPES.clientCredentials }

  it.each<[string, Fields, string, Readonly<Record<string, string>>?]>([
    ['no grant type', {}, 'grant_type is missing.'],
    [
      'a repeated scope',
      `grant_type=${GRANT_TYPES.clientCredentials}&scope=a&scope=b`,
      'scope must not occur more than once.',
    ],
    ['a repeated name that may be a secret', `${SECRET}=1&${SECRET}=2`, 'The request must not occur more than once.'],
    ['a value that is not UTF-8', 'scope=%ff', 'scope must be form-encoded UTF-8 (RFC 6749 Appendix B).'],
    [
      'a body that is not UTF-8',
      new Uint8Array([0xff]),
      'The request must be form-encoded UTF-8 (RFC 6749 Appendix B).',
    ],
    ['a long scope', { ...mint, scope: 'x'.repeat(129) }, 'scope must have at most 128 characters.'],
    [
      'two proofs in the form',
      {
        ...mint,
        client_id: clientId,
        client_secret: SECRET,
        client_assertion: 'x',
        client_assertion_type: ASSERTION_TYPE,
      },
      'client_secret is a second way to authenticate the client; send only one. client_assertion is a second',
      {},
    ],
    [
      'a proof beside the header',
      { ...mint, client_id: clientId, client_secret: SECRET },
      'The client in the form is a second way to authenticate the call; send only one. authorization is',
    ],
    ['another client than the header', { ...mint, client_id: 'other' }, 'client_id does not name the same client'],
    ['a secret of no client', { ...mint, client_secret: SECRET }, 'client_id is required with client_secret.', {}],
    ['an assertion of no type', { ...mint, client_assertion: SECRET }, 'client_assertion_type must be urn:', {}],
    ['no assertion of a type', { ...mint, client_assertion_type: ASSERTION_TYPE }, 'client_assertion is required', {}],
    ['no code', { grant_type: GRANT_TYPES.code, redirect_uri: REDIRECT_URI }, 'code is missing.'],
    ['no refresh token', { grant_type: GRANT_TYPES.refresh }, 'refresh_token is missing.'],
    ['no subject', { grant_type: GRANT_TYPES.exchange }, 'subject_token is missing.'],
    [
      'an unknown subject',
      { grant_type: GRANT_TYPES.exchange, subject_token: SECRET, subject_token_type: ACCESS_TOKEN_TYPE },
      'subject_token is not acceptable.',
    ],
    [
      'another type of body',
      'x',
      'content-type must be application/x-www-form-urlencoded, in UTF-8.',
      { 'content-type': 'text/plain' },
    ],
    ['a compressed body', 'x', 'content-encoding must be absent', { 'content-encoding': 'gzip' }],
    ['too many parameters', 'a=1&'.repeat(201), 'a must not occur more than once.'],
    ['a body that is too large', 'x'.repeat(70_000), 'The request is larger than 65536 bytes.'],
  ])('%s', async (_what, fields, description, headers = proof) => {
    const { status, body, text } = await forms.token(fields, headers)
    expect([400, 413]).toContain(status)
    expect(body['error']).toBe('invalid_request')
    expect(body['error_description']).toContain(description)
    expect(text).not.toContain(SECRET)
  })

  it.each([
    ['client_secret=x', 'client_secret must be sent in the body, not in the URL.'],
    [SECRET, 'The request must be sent in the body, not in the URL.'],
  ])('parameters in the URL: %s', async (query, description) => {
    const { body, text } = await forms.post(`/oauth2/token?${query}`, mint, proof)
    expect(body).toMatchObject({ error: 'invalid_request', error_description: description })
    expect(text).not.toContain(SECRET)
  })

  it('a form that is not posted', async () => {
    const answer = await fetch(`${server.httpUrl}/oauth2/token`)
    expect(await answer.json()).toMatchObject({ error_description: 'The request must be a POST.' })
  })
})
