import type { MessageInitShape } from '@bufbuild/protobuf'
import { type AccessToken, type AccessTokenStanding, isActive } from '../../domain/access-token.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { milliseconds } from '../../domain/ids.ts'
import type { TokenWishes } from '../../flows/conditions/request.ts'
import type { IssuedAccessToken } from '../../flows/grants/issue-access-token.ts'
import {
  type IssuedTokenSchema,
  SubjectType,
  type TokenClaimsSchema,
  type TokenMetadataSchema,
  TokenUse,
} from '../../gen/qscope/v1/token_pb.ts'
import type { BatchMintTokensItem, MintTokenRequest } from '../../gen/qscope/v1/token_service_pb.ts'
import { fromDuration, toDuration, toTimestamp } from './time.ts'

export function fromTokenWishes({ scopes, audiences, lifetime }: MintTokenRequest | BatchMintTokensItem): TokenWishes {
  return {
    requestedScopes: scopes,
    requestedAudiences: audiences,
    requestedLifetime: lifetime === undefined ? null : fromDuration(lifetime),
  }
}

/** RFC 6749 §5.1; the scope is returned always. */
export function toIssuedToken({ token, value }: IssuedAccessToken): MessageInitShape<typeof IssuedTokenSchema> {
  return {
    accessToken: value,
    tokenType: 'Bearer',
    expiresIn: toDuration(milliseconds(token.expiresAt - token.issuedAt)),
    expireTime: toTimestamp(token.expiresAt),
    scopes: [...token.scopes],
    audiences: [...token.audiences],
    tokenId: token.tokenId,
  }
}

/** RFC 7662 §2.2. */
export function toTokenClaims(token: AccessToken, issuer: string): MessageInitShape<typeof TokenClaimsSchema> {
  return {
    tokenId: token.tokenId,
    clientId: token.clientId,
    subject: token.userId ?? token.clientId,
    subjectType: token.userId === null ? SubjectType.CLIENT : SubjectType.USER,
    scopes: [...token.scopes],
    audiences: [...token.audiences],
    issueTime: toTimestamp(token.issuedAt),
    expireTime: toTimestamp(token.expiresAt),
    tokenUse: TokenUse.ACCESS,
    issuer,
  }
}

export function toTokenMetadata(
  standing: AccessTokenStanding,
  now: EpochMs,
): MessageInitShape<typeof TokenMetadataSchema> {
  const { token } = standing
  return {
    tokenId: token.tokenId,
    clientId: token.clientId,
    ...(token.userId !== null && { userId: token.userId }),
    ...(token.grantId !== null && { grantId: token.grantId }),
    scopes: [...token.scopes],
    audiences: [...token.audiences],
    tokenUse: TokenUse.ACCESS,
    issueTime: toTimestamp(token.issuedAt),
    expireTime: toTimestamp(token.expiresAt),
    ...(token.revokedAt !== null && { revokeTime: toTimestamp(token.revokedAt) }),
    active: isActive(standing, now),
  }
}
