import { describe, expect, it } from 'vitest'
import { type ErrorCode, type ErrorDetails, type ErrorRow, registry } from '../../../src/errors/registry.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import type { FailedResult } from '../../../src/results.ts'
import { basic, formsOn, GRANT_TYPES } from '../../setup/forms.ts'
import { call, detailsOf, openHarness, tokenRoutes } from '../grpc/harness.ts'
import { startHttp } from './harness.ts'

const harness = await openHarness()
const { goodSecret, startServer } = harness

const BASIC = 'Basic realm="qscope", charset="UTF-8"'
const BEARER = 'Bearer realm="qscope"'
const AGAIN = '2'

/** The answer to each refusal over HTTP: status, `error`, and the headers `retry-after` and `www-authenticate`. */
const EXPECTED: Readonly<Record<ErrorCode, readonly [number, string, string | null, string | null]>> = {
  'oauth.invalid_request': [400, 'invalid_request', null, null],
  'oauth.invalid_client': [401, 'invalid_client', null, BASIC],
  'oauth.invalid_grant': [400, 'invalid_grant', null, null],
  'oauth.unauthorized_client': [400, 'unauthorized_client', null, null],
  'oauth.unsupported_grant_type': [400, 'unsupported_grant_type', null, null],
  'oauth.invalid_scope': [400, 'invalid_scope', null, null],
  'oauth.invalid_target': [400, 'invalid_target', null, null],
  'oauth.access_denied': [400, 'access_denied', null, null],
  'oauth.unsupported_response_type': [400, 'unsupported_response_type', null, null],
  'oauth.unsupported_token_type': [400, 'unsupported_token_type', null, null],
  'oauth.invalid_token': [401, 'invalid_token', null, BEARER],
  'oauth.insufficient_scope': [403, 'insufficient_scope', null, null],
  'oauth.server_error': [500, 'server_error', null, null],
  'oauth.temporarily_unavailable': [503, 'temporarily_unavailable', AGAIN, null],
  'oauth.device.authorization_pending': [400, 'authorization_pending', null, null],
  'oauth.device.slow_down': [400, 'slow_down', null, null],
  'oauth.device.expired_token': [400, 'expired_token', null, null],
  'oauth.device.access_denied': [400, 'access_denied', null, null],
  'registration.invalid_redirect_uri': [400, 'invalid_redirect_uri', null, null],
  'registration.invalid_client_metadata': [400, 'invalid_client_metadata', null, null],
  'registration.client_identifier_conflict': [400, 'invalid_client_metadata', null, null],
  'resource.not_found': [400, 'invalid_request', null, null],
  'resource.conflict': [503, 'temporarily_unavailable', AGAIN, null],
  'resource.outcome_unknown': [500, 'server_error', null, null],
  'limit.exceeded': [429, 'temporarily_unavailable', AGAIN, null],
}

/** A refusal with everything that it can contain. */
function refusalWith(code: ErrorCode): FailedResult {
  const row: ErrorRow<ErrorDetails> = registry[code]
  const [because] = Object.keys(row.cases ?? {})
  return {
    ok: false,
    code,
    details: {
      violations: [{ field: 'audiences[3]', description: 'is “odd” \\ ünusual' }],
      metadata: {
        rejected_scopes: 'a "b"',
        rejected_audiences: 'x',
        required_scopes: 'y',
        safe_to_retry: 'true',
        grant_type: 'z',
      },
      resource: { type: 'client', name: 'orders' },
      quota: { subject: 'peer:1', description: 'too many' },
      retryAfterMs: 1_500,
      ...(because !== undefined && { because }),
    },
  }
}

it('error_description names a section of an RFC in ASCII', async () => {
  const { url } = await startHttp(harness, tokenRoutes())
  const answer = await formsOn({ httpUrl: url }).token(
    { grant_type: GRANT_TYPES.clientCredentials },
    { authorization: 'Basic !' },
  )
  expect([answer.status, answer.body['error']]).toEqual([401, 'invalid_client'])
  expect(answer.body['error_description']).toContain('(RFC 6749 section 2.3.1)')
})

describe('every row of the registry', () => {
  it.each(Object.entries(EXPECTED))(
    'is answered over forms and gRPC: %s',
    async (code, [status, error, retry, challenge]) => {
      const failed = refusalWith(code as ErrorCode)
      const routes = tokenRoutes({ mintToken: async () => failed })
      const { url } = await startHttp(harness, routes)
      const answer = await formsOn({ httpUrl: url }).token(
        { grant_type: GRANT_TYPES.clientCredentials },
        { ...basic('orders', goodSecret), 'x-ray-id': 'row-1' },
      )
      expect([
        answer.status,
        answer.body['error'],
        answer.headers.get('retry-after'),
        answer.headers.get('www-authenticate'),
      ]).toEqual([status, error, retry, challenge])
      expect(Object.keys(answer.body)).toEqual(['error', 'error_description', 'error_uri'])
      expect(answer.body['error_description']).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
      expect(answer.body['error_description']).toContain("audience is 'odd' ? ?nusual.")
      expect(answer.body['error_uri']).toMatch(/^http:\/\/127\.0\.0\.1\/docs\/errors#[a-z-]+$/)
      expect([answer.headers.get('cache-control'), answer.headers.get('pragma')]).toEqual(['no-store', 'no-cache'])
      expect([answer.headers.get('content-type'), answer.headers.get('x-ray-id')]).toEqual([
        'application/json',
        'row-1',
      ])

      const { client } = await startServer(routes)
      const request = { client: { clientId: 'orders', method: { case: 'clientSecret' as const, value: goodSecret } } }
      const { error: grpcError } = await call(client, TokenService.method.mintToken, request)
      expect(detailsOf(grpcError)?.info?.reason).toBe(code.toUpperCase().replaceAll('.', '_'))
    },
  )

  it('no error has a status that clients retry automatically, unless nothing was written', () => {
    for (const [code, [status]] of Object.entries(EXPECTED)) {
      expect([502, 504]).not.toContain(status)
      if (status === 503) expect(['oauth.temporarily_unavailable', 'resource.conflict']).toContain(code)
    }
  })
})

describe('while the server stops', () => {
  it('a form is refused with 503 and Retry-After', async () => {
    const { url, state } = await startHttp(harness, tokenRoutes())
    state.drain()
    const answer = await formsOn({ httpUrl: url }).token(
      { grant_type: GRANT_TYPES.clientCredentials },
      basic('orders', goodSecret),
    )
    expect([answer.status, answer.body['error'], answer.headers.get('retry-after')]).toEqual([
      503,
      'temporarily_unavailable',
      '1',
    ])
  })

  it('a form that is aborted while it runs is answered with 500 and without Retry-After', async () => {
    const { promise: never } = Promise.withResolvers<never>()
    const { promise: entered, resolve: enter } = Promise.withResolvers<void>()
    const routes = tokenRoutes({
      mintToken: () => {
        enter()
        return never
      },
    })
    const { url, server } = await startHttp(harness, routes)
    const answering = formsOn({ httpUrl: url }).token(
      { grant_type: GRANT_TYPES.clientCredentials },
      basic('orders', goodSecret),
    )
    await entered
    const stopping = server.stop(10)
    const answer = await answering
    expect([answer.status, answer.body['error'], answer.headers.get('retry-after')]).toEqual([
      500,
      'server_error',
      null,
    ])
    await stopping
  })
})
