import { SubjectTypeSchema, type TokenClaims, TokenUseSchema } from '../../gen/qscope/v1/token_pb.ts'
import { nameOf } from '../options.ts'
import { list, time } from '../show.ts'

/** What a token says, as names and values for people. */
export function claimPairs(claims: TokenClaims | undefined): readonly (readonly [string, string])[] {
  if (claims === undefined) return []
  return [
    ['token id', claims.tokenId],
    ['client id', claims.clientId],
    ['subject', `${claims.subject} (${nameOf(SubjectTypeSchema, claims.subjectType)})`],
    ['use', nameOf(TokenUseSchema, claims.tokenUse)],
    ['scopes', list(claims.scopes)],
    ['audiences', list(claims.audiences)],
    ['issuer', claims.issuer],
    ['issued', time(claims.issueTime)],
    ['expires', time(claims.expireTime)],
  ]
}
