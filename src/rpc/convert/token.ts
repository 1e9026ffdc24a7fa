import type { MessageInitShape } from '@bufbuild/protobuf'
import { timeLeft } from '../../domain/expiry.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { ActiveToken, Found } from '../../flows/conditions/presented-token.ts'
import type { TokenRequest } from '../../flows/conditions/request.ts'
import type { IssuedTokens } from '../../flows/grants/issue-tokens.ts'
import type { ExchangeRequest } from '../../flows/grants/token-exchange.ts'
import type { ListedGrant } from '../../flows/tokens/list-grants.ts'
import type { ListedToken } from '../../flows/tokens/list-tokens.ts'
import type { ExplainMintRequest } from '../../gen/qscope/v1/client_service_pb.ts'
import {
  type ActorSchema,
  type GrantMetadataSchema,
  type IssuedTokenSchema,
  SubjectType,
  type TokenClaimsSchema,
  type TokenMetadataSchema,
  TokenUse,
} from '../../gen/qscope/v1/token_pb.ts'
import type {
  BatchMintTokensItem,
  ExchangeTokenRequest,
  MintTokenRequest,
} from '../../gen/qscope/v1/token_service_pb.ts'
import { fromDuration, toDuration, toTimestamp } from './time.ts'

export function fromTokenRequest({
  scopes,
  audiences,
  lifetime,
}: Pick<
  MintTokenRequest | BatchMintTokensItem | ExplainMintRequest,
  'scopes' | 'audiences' | 'lifetime'
>): TokenRequest {
  return {
    requestedScopes: scopes,
    requestedAudiences: audiences,
    requestedLifetime: lifetime === undefined ? null : fromDuration(lifetime),
  }
}

/** RFC 8693 §2.1. */
export function fromExchangeRequest(request: ExchangeTokenRequest): ExchangeRequest {
  return {
    subjectToken: request.subjectToken,
    subjectTokenType: request.subjectTokenType,
    actorToken: request.actorToken ?? null,
    actorTokenType: request.actorTokenType ?? null,
    requestedTokenType: request.requestedTokenType ?? null,
    requestedScopes: request.scopes,
    requestedAudiences: request.audiences,
  }
}

/** RFC 6749 §5.1; the scope is returned always. `now`: an answer that is given again has less time left. */
export function toIssuedToken(
  { token, value, refresh, grantExpiresAt }: IssuedTokens,
  now: EpochMs,
): MessageInitShape<typeof IssuedTokenSchema> {
  return {
    accessToken: value,
    tokenType: 'Bearer',
    expiresIn: toDuration(timeLeft(token.expiresAt, now)),
    expireTime: toTimestamp(token.expiresAt),
    scopes: [...token.scopes],
    audiences: [...token.audiences],
    tokenId: token.tokenId,
    ...(refresh !== null && {
      refreshToken: refresh.value,
      refreshTokenExpireTime: toTimestamp(refresh.token.expiresAt),
    }),
    ...(grantExpiresAt !== null && { grantExpireTime: toTimestamp(grantExpiresAt) }),
  }
}

/** The common part of access and refresh tokens in listings. */
function viewOf(found: Found) {
  if (found.use === 'access') {
    return { tokenUse: TokenUse.ACCESS, token: found.status.token }
  }
  const { token, grant } = found.status
  return {
    tokenUse: TokenUse.REFRESH,
    token: {
      ...token,
      subject: grant.userId,
      scopes: grant.scopes,
      audiences: grant.audiences,
      actors: [],
      extra: null,
      confirmation: null,
      revokedAt: grant.revokedAt,
    },
  }
}

/** RFC 7662 §2.2. */
export function toTokenClaims(found: ActiveToken, issuer: string): MessageInitShape<typeof TokenClaimsSchema> {
  const { tokenUse, token: view } = viewOf(found)
  const actor = toActor(view.actors)
  return {
    tokenId: view.tokenId,
    clientId: view.clientId,
    subject: view.subject,
    subjectType: view.userId === null ? SubjectType.CLIENT : SubjectType.USER,
    scopes: [...view.scopes],
    audiences: [...view.audiences],
    issueTime: toTimestamp(view.issuedAt),
    expireTime: toTimestamp(view.expiresAt),
    tokenUse,
    issuer,
    ...(actor !== null && { actor }),
    ...(view.confirmation !== null && { confirmation: { x5tS256: view.confirmation } }),
    revocationKeys: [...found.revocationKeys],
    ...(view.extra !== null && { extra: { ...view.extra } }),
  }
}

/** RFC 8693 §4.1: the latest actor outside, who acted before it inside. */
function toActor(latestFirst: readonly string[]): MessageInitShape<typeof ActorSchema> | null {
  return latestFirst.reduceRight<MessageInitShape<typeof ActorSchema> | null>(
    (inner, subject) => (inner === null ? { subject } : { subject, actor: inner }),
    null,
  )
}

export function toTokenMetadata(listed: ListedToken): MessageInitShape<typeof TokenMetadataSchema> {
  const { tokenUse, token: view } = viewOf(listed)
  return {
    tokenId: view.tokenId,
    clientId: view.clientId,
    ...(view.userId !== null && { userId: view.userId }),
    ...(view.grantId !== null && { grantId: view.grantId }),
    scopes: [...view.scopes],
    audiences: [...view.audiences],
    tokenUse,
    issueTime: toTimestamp(view.issuedAt),
    expireTime: toTimestamp(view.expiresAt),
    ...(view.revokedAt !== null && { revokeTime: toTimestamp(view.revokedAt) }),
    active: listed.active,
  }
}

export function toGrantMetadata({ grant, active }: ListedGrant): MessageInitShape<typeof GrantMetadataSchema> {
  return {
    grantId: grant.grantId,
    clientId: grant.clientId,
    userId: grant.userId,
    scopes: [...grant.scopes],
    audiences: [...grant.audiences],
    createTime: toTimestamp(grant.createdAt),
    expireTime: toTimestamp(grant.expiresAt),
    ...(grant.revokedAt !== null && { revokeTime: toTimestamp(grant.revokedAt) }),
    active,
  }
}
