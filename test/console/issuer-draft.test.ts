import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { changesOf, fieldOfViolation } from '../../console/src/components/changes.ts'
import {
  draftOf,
  ISSUER_FIELDS,
  issuerOf,
  NEW_ISSUER,
  NEW_RULE,
  updateOf,
} from '../../console/src/pages/issuers/draft.ts'
import { TrustedIssuerKind, TrustedIssuerSchema } from '../../src/gen/qscope/v1/trust_service_pb.ts'

const issuer = create(TrustedIssuerSchema, {
  issuer: 'https://ci.example',
  displayName: 'CI',
  kind: TrustedIssuerKind.JWT,
  keys: { case: 'jwksUri', value: 'https://ci.example/keys' },
  maxLifetime: { seconds: 600n },
  rules: [
    { clientId: 'orders', claims: { sub: 'job:*', '/a b/c': 'x\ny' }, scopes: ['a', 'b'], tokenClaims: { env: '"x"' } },
    { clientId: 'other', condition: 'claims.sub == "x"', scopes: ['c'], scopesExpression: '["c"]' },
  ],
})
const draft = draftOf(issuer)

describe('the draft of a trusted issuer', () => {
  it('says what the issuer says, and differs from itself in nothing', () => {
    expect(create(TrustedIssuerSchema, issuerOf(draft))).toEqual(issuer)
    expect(changesOf(ISSUER_FIELDS, draft, draft)).toEqual([])
  })

  it('names a SPIFFE issuer by its trust domain', () => {
    const spiffe = { ...NEW_ISSUER, kind: String(TrustedIssuerKind.SPIFFE), trustDomain: ' prod.example ' }
    expect(issuerOf(spiffe)).toMatchObject({ issuer: 'spiffe://prod.example', trustDomain: 'prod.example' })
    expect(issuerOf({ ...spiffe, kind: String(TrustedIssuerKind.JWT) })).toMatchObject({ issuer: '', trustDomain: '' })
  })

  it('changes the keys under the path of their source, in the version that was read', () => {
    const update = (keys: Partial<typeof draft.keys>) =>
      updateOf(draft, { ...draft, keys: { ...draft.keys, ...keys } }, 'etag-1')
    expect(update({ source: 'discovery' }).updateMask?.paths).toEqual(['discovery'])
    expect(update({ source: 'jwks', jwks: '{"keys":[]}' })).toMatchObject({
      trustedIssuer: { keys: { case: 'jwks', value: '{"keys":[]}' }, etag: 'etag-1' },
      updateMask: { paths: ['jwks'] },
    })
    expect(update({ jwksUri: 'https://ci.example/other' }).updateMask?.paths).toEqual(['jwks_uri'])
    expect(update({ jwks: 'of a source that is not chosen' }).updateMask?.paths).toEqual([])
  })

  it('has no CA certificates where the keys are given, whatever their field held before it was hidden', () => {
    const withCa = { ...draft, caCertificates: 'a certificate' }
    const given = { ...withCa, keys: { ...withCa.keys, source: 'jwks' as const, jwks: '{"keys":[]}' } }
    expect(issuerOf(withCa).caCertificates).toBe('a certificate')
    expect(issuerOf(given).caCertificates).toBe('')
    expect(updateOf(draft, given, '').updateMask?.paths).toEqual(['jwks'])
    expect(updateOf(withCa, given, '').updateMask?.paths).toEqual(['jwks', 'ca_certificates'])
  })

  it('takes the order of the rules for a change, and not the layout of their claims', () => {
    const [first = NEW_RULE, second = NEW_RULE] = draft.rules
    const paths = (rules: typeof draft.rules) => changesOf(ISSUER_FIELDS, draft, { ...draft, rules }).map((c) => c.path)
    expect(paths([second, first])).toEqual(['rules'])
    expect(paths([first])).toEqual(['rules'])
    expect(paths([{ ...first, claims: ` ${first.claims}\n`, scopes: 'a b' }, second])).toEqual([])
  })

  it('leaves claims that cannot be read to the server, which refuses those without a name', () => {
    const rules = [{ ...NEW_RULE, claims: 'sub=job' }]
    expect(issuerOf({ ...draft, rules }).rules?.[0]?.claims).toEqual({ '': 'sub=job' })
    const lists = '{"aud":["x","y"]}'
    expect(issuerOf({ ...draft, rules: [{ ...NEW_RULE, claims: lists }] }).rules?.[0]?.claims).toEqual({ '': lists })
  })

  it.each([
    ['trusted_issuer.issuer', 'issuer'],
    ['trusted_issuer.trust_domain', 'trustDomain'],
    ['trusted_issuer.jwks_uri', 'keys'],
    ['trusted_issuer.rules[2].client_id', 'rules'],
    ['trusted_issuer.max_lifetime', 'maxLifetime'],
    ['update_mask', undefined],
  ])('finds the field that %s is about', (path, field) => {
    expect(fieldOfViolation(ISSUER_FIELDS, path)).toBe(field)
  })
})
