import {
  type GrantMetadata,
  type IssuedToken,
  SubjectTypeSchema,
  type TokenClaims,
  type TokenMetadata,
  TokenUseSchema,
} from '../../gen/qscope/v1/token_pb.ts'
import { nameOf } from '../options/options.ts'
import { type State, state } from '../output/cell.ts'
import { durationText, listText, type Pair, type View } from '../output/output.ts'

/** A token without its value. */
export const tokenView: View<TokenMetadata> = {
  name: ({ tokenId }) => tokenId,
  columns: [
    { heading: 'TOKEN ID', value: ({ tokenId }) => tokenId, whole: true },
    { heading: 'CLIENT ID', value: ({ clientId }) => clientId },
    { heading: 'STATE', value: stateOf },
    { heading: 'SCOPES', value: ({ scopes }) => listText(scopes) },
    { heading: 'AUDIENCES', value: ({ audiences }) => listText(audiences), wide: true },
    { heading: 'ISSUED', value: ({ issueTime }) => issueTime, wide: true },
    { heading: 'EXPIRES', value: ({ expireTime }) => expireTime },
  ],
  pairs: (token) => [
    ['token id', token.tokenId],
    ['client id', token.clientId],
    ['state', stateOf(token)],
    ['scopes', listText(token.scopes)],
    ['audiences', listText(token.audiences)],
    ['issued', token.issueTime],
    ['expires', token.expireTime],
  ],
}

/** A user's consent. */
export const grantView: View<GrantMetadata> = {
  name: ({ grantId }) => grantId,
  columns: [
    { heading: 'GRANT ID', value: ({ grantId }) => grantId, whole: true },
    { heading: 'CLIENT ID', value: ({ clientId }) => clientId },
    { heading: 'USER ID', value: ({ userId }) => userId, wide: true },
    { heading: 'STATE', value: stateOf },
    { heading: 'SCOPES', value: ({ scopes }) => listText(scopes) },
    { heading: 'AUDIENCES', value: ({ audiences }) => listText(audiences), wide: true },
    { heading: 'CREATED', value: ({ createTime }) => createTime, wide: true },
    { heading: 'EXPIRES', value: ({ expireTime }) => expireTime },
  ],
  pairs: (grant) => [
    ['grant id', grant.grantId],
    ['client id', grant.clientId],
    ['user id', grant.userId],
    ['state', stateOf(grant)],
    ['scopes', listText(grant.scopes)],
    ['audiences', listText(grant.audiences)],
    ['created', grant.createTime],
    ['expires', grant.expireTime],
  ],
}

function stateOf({ active, revokeTime }: Pick<TokenMetadata, 'active' | 'revokeTime'>): State {
  if (active) return state('active')
  return state(revokeTime === undefined ? 'inactive' : 'revoked')
}

/** A newly issued token with its values. */
export function issuedPairs(token: IssuedToken): readonly Pair[] {
  return [
    ['access token', token.accessToken],
    ['refresh token', token.refreshToken],
    ['token id', token.tokenId],
    ['scopes', listText(token.scopes)],
    ['audiences', listText(token.audiences)],
    ['expires in', durationText(token.expiresIn)],
    ['expires', token.expireTime],
  ]
}

export const issuedView: View<IssuedToken> = {
  name: ({ tokenId }) => tokenId,
  columns: [],
  pairs: issuedPairs,
}

/** The claims of a token. */
export function claimPairs(claims: TokenClaims | undefined): readonly Pair[] {
  if (claims === undefined) return []
  return [
    ['token id', claims.tokenId],
    ['client id', claims.clientId],
    ['subject', `${claims.subject} (${nameOf(SubjectTypeSchema, claims.subjectType)})`],
    ['use', nameOf(TokenUseSchema, claims.tokenUse)],
    ['scopes', listText(claims.scopes)],
    ['audiences', listText(claims.audiences)],
    ['issuer', claims.issuer],
    ['issued', claims.issueTime],
    ['expires', claims.expireTime],
  ]
}
