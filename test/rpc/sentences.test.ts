import type { DescMessage } from '@bufbuild/protobuf'
import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { GRANT_TYPE_NAMES } from '../../src/domain/grant-type-names.ts'
import { type ErrorDetails, type ErrorRow, registry } from '../../src/errors/registry.ts'
import { ListAuditEventsRequestSchema } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import {
  ListClientsRequestSchema,
  RegisterClientRequestSchema,
  RotateClientSecretRequestSchema,
  UpdateClientRequestSchema,
} from '../../src/gen/qscope/v1/client_service_pb.ts'
import { RevokeSigningKeyRequestSchema } from '../../src/gen/qscope/v1/key_service_pb.ts'
import {
  BatchMintTokensRequestSchema,
  ExchangeAuthorizationCodeRequestSchema,
  MintTokenRequestSchema,
  RevokeTokensRequestSchema,
} from '../../src/gen/qscope/v1/token_service_pb.ts'
import { GetUserRequestSchema } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { type FailedResult, fail } from '../../src/results.ts'
import { RequestValidator } from '../../src/rpc/request-validator.ts'
import { sentenceOf } from '../../src/rpc/rpc-status.ts'

const UUID = 'must be a UUID, such as 0192f0a1-5b7c-7d3e-9f10-2a3b4c5d6e7f'
const GRANTS =
  'must be one of AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN, DEVICE_CODE, TOKEN_EXCHANGE, JWT_BEARER'

describe('the message of a violated rule', () => {
  const validator = new RequestValidator()
  const violationsOf = (schema: DescMessage, value: JsonValue) =>
    Object.fromEntries(
      validator.validate(schema, fromJson(schema, value)).map(({ field, description }) => [field, description]),
    )

  test.each<[DescMessage, JsonValue, Record<string, string>]>([
    [
      RegisterClientRequestSchema,
      {
        clientId: '!!!',
        displayName: 'x'.repeat(201),
        type: 99,
        grantTypes: [0, 99],
        scopes: Array.from({ length: 300 }, () => 'x'),
        config: { accessTokenTtl: '0s', maxActiveRefreshTokens: 0, metadata: { '': '' } },
      },
      {
        client_id: 'must consist of A-Z a-z 0-9 . _ -',
        display_name: 'must have at most 200 characters',
        type: 'must be one of CONFIDENTIAL, PUBLIC',
        'grant_types[0]': GRANTS,
        'grant_types[1]': GRANTS,
        scopes: 'must have at most 200 items',
        'config.access_token_ttl': 'must be from 1s to 1d',
        'config.max_active_refresh_tokens': 'must be from 1 to 1000000',
        'config.metadata[…]': 'has a key that must not be empty',
      },
    ],
    [RegisterClientRequestSchema, { clientId: 'a', type: 1 }, { client_id: 'must have at least 3 characters' }],
    [UpdateClientRequestSchema, {}, { client: 'must be set' }],
    [ListClientsRequestSchema, { pageSize: 1001 }, { page_size: 'must be from 0 to 1000' }],
    [RotateClientSecretRequestSchema, { clientId: 'abc', overlap: '-1s' }, { overlap: 'must be from 0s to 30d' }],
    [RevokeSigningKeyRequestSchema, {}, { key_id: 'must be set to a UUID' }],
    [GetUserRequestSchema, { userId: 'x' }, { user_id: UUID }],
    [GetUserRequestSchema, {}, { id: 'must be set by exactly one of user_id, external_id' }],
    [RevokeTokensRequestSchema, {}, { target: 'must be set by exactly one of token_id, client_id, user_id, grant_id' }],
    [BatchMintTokensRequestSchema, {}, { requests: 'must not be empty' }],
    [MintTokenRequestSchema, { scopes: [''] }, {}],
    [ListAuditEventsRequestSchema, { rayId: '!' }, { ray_id: 'must be 1 to 128 characters of A-Z a-z 0-9 . _ -' }],
    [
      ExchangeAuthorizationCodeRequestSchema,
      { code: 'x', redirectUri: 'x', codeVerifier: 'x' },
      { code_verifier: 'must be 43 to 128 characters of A-Z a-z 0-9 . _ ~ -' },
    ],
  ])('$typeName %j', (schema, value, expected) => {
    const violations = violationsOf(schema, value)
    expect(violations).toEqual(expected)
    expect(JSON.stringify(violations)).not.toMatch(/list \[|regex|item\(s\)|defined enum|86400/)
  })
})

describe('the message of a refusal', () => {
  const rows = Object.entries<ErrorRow<ErrorDetails>>(registry)

  test.each(rows.filter(([, { description }]) => description !== 'Reserved, not sent.'))(
    'of %s is a sentence, in each of its cases',
    (_key, { description, cases = {} }) => {
      for (const sentence of [description, ...Object.values(cases)]) expect(sentence).toMatch(/^[A-Z].*\.$/)
      expect(new Set([description, ...Object.values(cases)]).size).toBe(1 + Object.keys(cases).length)
    },
  )

  test.each<[FailedResult, RegExp]>([
    [
      fail('resource.not_found', { resource: { type: 'client', name: 'orders' } }),
      /^The client "orders" does not exist\./,
    ],
    [
      fail('resource.not_found', { resource: { type: 'signing_key', name: 'k' } }),
      /^The signing key "k" does not exist\./,
    ],
    [
      fail('resource.conflict', { because: 'key_too_early', metadata: { activate_after: '2026-01-01T00:00:00.000Z' } }),
      /cannot be activated before 2026-01-01T00:00:00\.000Z,/,
    ],
    [fail('resource.conflict', { because: 'contended' }), /at the same time/],
    [
      fail('oauth.unauthorized_client', { because: 'grant', metadata: { grant_type: GRANT_TYPE_NAMES.device_code } }),
      /grant type urn:ietf:params:oauth:grant-type:device_code\./,
    ],
    [fail('oauth.insufficient_scope', { metadata: { required_scopes: 'a b' } }), /required scopes: a b\./],
    [
      fail('limit.exceeded', { quota: { subject: 's', description: 'too many wrong user codes' }, retryAfterMs: 1 }),
      /^A limit was reached: too many wrong user codes\./,
    ],
    [
      fail('oauth.invalid_request', {
        violations: ['', 'b', 'c', 'd', 'e'].map((field) => ({ field, description: 'is odd' })),
      }),
      /: the request is odd; b is odd; c is odd; 2 more\. Correct the request\.$/,
    ],
    [
      fail('registration.invalid_redirect_uri', { violations: [{ field: 'redirect_uris[0]', description: 'is odd' }] }),
      /not allowed: redirect_uris\[0\] is odd\. Correct/,
    ],
    [
      fail('registration.invalid_client_metadata', { violations: [{ field: 'type', description: 'is odd' }] }),
      /not support: type is odd\. Correct/,
    ],
    [fail('registration.client_identifier_conflict', { resource: { type: 'client', name: 'a' } }), /"a" is in use/],
    [fail('oauth.invalid_scope', { metadata: { rejected_scopes: '{name} $& x' } }), /allowed: \{name\} \$& x\./],
  ])('names what it is about: %j', (failed, sentence) => {
    expect(sentenceOf(failed)).toMatch(sentence)
    expect(sentenceOf(failed)).not.toMatch(/The state of the resource|The resource does not exist/)
  })

  test('neither repeats a secret nor grows with the request', () => {
    const name = `qat_${'a'.repeat(49)}`
    expect(sentenceOf(fail('resource.not_found', { resource: { type: 'user', name } }))).not.toContain(name)
    const metadata = { rejected_scopes: 'x '.repeat(10_000) }
    expect(sentenceOf(fail('oauth.invalid_scope', { metadata })).length).toBeLessThan(500)
    const violations = Array.from({ length: 16 }, () => ({ field: 'x', description: `${name} ${'y'.repeat(1_000)}` }))
    const sentence = sentenceOf(fail('oauth.invalid_request', { violations }))
    expect(sentence).not.toContain(name)
    expect(sentence.length).toBeLessThan(900)
  })
})
