import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import {
  changesOf,
  draftOf,
  fieldOfViolation,
  NEW_CLIENT,
  rebased,
  registrationOf,
  updateOf,
} from '../../console/src/pages/clients/draft.ts'
import { AccessTokenFormat, ClientSchema, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'

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
    expect(changesOf(draft, draft)).toEqual([])
    expect(changesOf(draft, { ...draft, scopes: ' b\n\n a ', displayName: 'Orders ' })).toEqual([])
  })

  it('names what was added and removed, and the path of the field', () => {
    const changed = { ...draft, scopes: 'b c', accessTokenTtl: '', grantTypes: new Set(['2', '5']) }
    expect(changesOf(draft, changed).map(({ path, removed, added }) => [path, removed, added])).toEqual([
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
    expect(rebased(draft, mine, theirs)).toEqual({ ...theirs, scopes: 'mine' })
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
    ['scopes[1]', 'scopes'],
    ['config.access_token_ttl', 'accessTokenTtl'],
    ['client_id', 'clientId'],
    ['something.else', undefined],
  ])('finds the field that %s is about', (path, field) => {
    expect(fieldOfViolation(path)).toBe(field)
  })
})
