import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { changesOf, fieldOfViolation, rebased } from '../../console/src/components/changes.ts'
import { CLIENT_FIELDS, draftOf, NEW_CLIENT, registrationOf, updateOf } from '../../console/src/pages/clients/draft.ts'
import {
  AccessTokenFormat,
  AuthenticationMethod,
  ClientSchema,
  ClientType,
  GrantType,
} from '../../src/gen/qscope/v1/client_pb.ts'

const client = create(ClientSchema, {
  clientId: 'orders',
  displayName: 'Orders',
  type: ClientType.CONFIDENTIAL,
  grantTypes: [GrantType.CLIENT_CREDENTIALS],
  scopes: ['a', 'b'],
  config: { accessTokenFormat: AccessTokenFormat.JWT, accessTokenTtl: { seconds: 300n } },
})
const draft = draftOf(client)

describe('the draft of a client', () => {
  it('differs from itself in nothing, whatever the order and the white space', () => {
    expect(changesOf(CLIENT_FIELDS, draft, draft)).toEqual([])
    expect(changesOf(CLIENT_FIELDS, draft, { ...draft, scopes: ' b\n\n a ', displayName: 'Orders ' })).toEqual([])
  })

  it('names what was added and removed, and the path of the field', () => {
    const changed = { ...draft, scopes: 'b c', accessTokenTtl: '', grantTypes: new Set(['2', '5']) }
    expect(changesOf(CLIENT_FIELDS, draft, changed).map(({ path, removed, added }) => [path, removed, added])).toEqual([
      ['grant_types', [], ['token exchange']],
      ['scopes', ['a'], ['c']],
      ['config.access_token_ttl', ['300'], []],
    ])
  })

  it('updates only what differs, and only the version that was read', () => {
    const update = updateOf(draft, { ...draft, scopes: 'c' }, 'etag-1')
    expect([update.updateMask?.paths, update.etag, update.client?.scopes]).toEqual([['scopes'], 'etag-1', ['c']])
  })

  it('goes on from another version with its own changes alone', () => {
    const mine = { ...draft, scopes: 'mine' }
    const theirs = { ...draft, scopes: 'theirs', displayName: 'Renamed' }
    expect(rebased(CLIENT_FIELDS, draft, mine, theirs)).toEqual({ ...theirs, scopes: 'mine' })
  })

  it('leaves what is empty to the defaults of the server', () => {
    expect(registrationOf(NEW_CLIENT)).toEqual({
      type: ClientType.CONFIDENTIAL,
      authenticationMethod: 0,
      grantTypes: [GrantType.CLIENT_CREDENTIALS],
      redirectUris: [],
      scopes: [],
      audiences: [],
      resourceAudiences: [],
      config: {},
    })
  })

  it.each([
    ['90', { seconds: 90n, nanos: 0 }],
    ['1.5', { seconds: 1n, nanos: 500_000_000 }],
    ['2.3', { seconds: 2n, nanos: 300_000_000 }],
    ['1e3', { seconds: 1_000n, nanos: 0 }],
    ['-1.5', { seconds: -1n, nanos: -500_000_000 }],
    ['1e300', { seconds: 315_576_000_000n, nanos: 0 }],
  ])('leaves it to the server whether %s seconds are acceptable', (accessTokenTtl, ttl) => {
    expect(registrationOf({ ...NEW_CLIENT, accessTokenTtl }).config?.accessTokenTtl).toEqual(ttl)
  })

  it('holds federated identities as lines, and leaves what cannot be read to the server', () => {
    const federatedIdentities = [
      { issuer: 'https://ci.example', subject: 'job:deploy', requiredClaims: { ref: 'refs/heads/main' } },
      { issuer: 'spiffe://prod', subject: 'spiffe://prod/orders', requiredClaims: {} },
    ]
    const authenticationMethod = AuthenticationMethod.FEDERATED_JWT
    const held = draftOf(create(ClientSchema, { authenticationMethod, federatedIdentities }))
    expect(registrationOf(held).federatedIdentities).toEqual(federatedIdentities)
    const changed = { ...held, federatedIdentities: `${held.federatedIdentities}\nhttps://other.example job` }
    expect(changesOf(CLIENT_FIELDS, held, changed).map(({ path, added }) => [path, added])).toEqual([
      ['federated_identities', ['https://other.example job']],
    ])
    const unreadable = registrationOf({
      ...held,
      federatedIdentities: 'https://ci.example\nhttps://ci.example job ref=main',
    })
    expect(unreadable.federatedIdentities).toEqual([
      { issuer: 'https://ci.example', subject: '', requiredClaims: {} },
      { issuer: 'https://ci.example', subject: 'job', requiredClaims: { '': 'ref=main' } },
    ])
  })

  it('registers the credential of the chosen method alone', () => {
    const written = {
      ...NEW_CLIENT,
      jwks: '{}',
      tlsClientSubject: 'dns:a',
      federatedIdentities: 'https://ci.example job',
    }
    const of = (method: AuthenticationMethod) =>
      Object.keys(registrationOf({ ...written, authenticationMethod: String(method) })).filter((key) => key in written)
    const others = Object.keys(registrationOf(written)).filter((key) => key in written)
    expect(of(AuthenticationMethod.TLS_CLIENT).filter((key) => !others.includes(key))).toEqual(['tlsClientSubject'])
    expect(of(AuthenticationMethod.PRIVATE_KEY_JWT).filter((key) => !others.includes(key))).toEqual(['jwks'])
    expect(of(AuthenticationMethod.FEDERATED_JWT).filter((key) => !others.includes(key))).toEqual([
      'federatedIdentities',
    ])
  })

  it('takes a number for the same, however it is written', () => {
    expect(changesOf(CLIENT_FIELDS, draft, { ...draft, accessTokenTtl: '3e2' })).toEqual([])
  })

  it.each([
    ['scopes[1]', 'scopes'],
    ['config.access_token_ttl', 'accessTokenTtl'],
    ['client_id', 'clientId'],
    ['client.scopes[1]', 'scopes'],
    ['client.config.access_token_ttl', 'accessTokenTtl'],
    ['something.else', undefined],
  ])('finds the field that %s is about', (path, field) => {
    expect(fieldOfViolation(CLIENT_FIELDS, path)).toBe(field)
  })
})
