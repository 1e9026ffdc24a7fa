import type { MessageInitShape } from '@bufbuild/protobuf'
import type { AccessToken } from '../../domain/access-token.ts'
import { clientId, grantId, tokenId, userId } from '../../domain/ids.ts'
import { clientCredentials } from '../../flows/grants/client-credentials.ts'
import { clientCredentialsBatch } from '../../flows/grants/client-credentials-batch.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import { introspectToken } from '../../flows/tokens/introspect-token.ts'
import { introspectTokens } from '../../flows/tokens/introspect-tokens.ts'
import { listTokens } from '../../flows/tokens/list-tokens.ts'
import { revokeToken } from '../../flows/tokens/revoke-token.ts'
import { type RevocationTarget, revokeTokens } from '../../flows/tokens/revoke-tokens.ts'
import { verifyToken } from '../../flows/tokens/verify-token.ts'
import type {
  IntrospectTokenResponseSchema,
  RevokeTokensRequest,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import type { FailedResult } from '../../results.ts'
import { fail, mapResult } from '../../results.ts'
import { fromTokenWishes, toIssuedToken, toTokenClaims, toTokenMetadata } from '../convert/token.ts'
import { toRpcStatus } from '../errors.ts'
import type { ServiceHandlers } from '../routes.ts'

export interface TokenHandlerOptions {
  readonly issuer: string
  /** Where errors are documented; see `toRpcStatus`. */
  readonly helpBase: string
}

export function tokenHandlers(
  { execute }: FlowRunner,
  { issuer, helpBase }: TokenHandlerOptions,
): ServiceHandlers<typeof TokenService> {
  const toIntrospection = (token: AccessToken | null): MessageInitShape<typeof IntrospectTokenResponseSchema> =>
    token === null ? { active: false } : { active: true, claims: toTokenClaims(token, issuer) }

  return {
    async mintToken(ctx, request) {
      const minted = await execute(clientCredentials, ctx, fromTokenWishes(request))
      return mapResult(minted, (issued) => ({ token: toIssuedToken(issued) }))
    },
    async batchMintTokens(ctx, { requests }) {
      const minted = await execute(clientCredentialsBatch, ctx, { wishes: requests.map(fromTokenWishes) })
      const toStatus = (failed: FailedResult) => ({
        case: 'status' as const,
        value: toRpcStatus(failed, ctx.rayId, helpBase),
      })
      return mapResult(minted, (items) => ({
        results: items.map((item) => ({
          result: item.ok ? { case: 'token' as const, value: toIssuedToken(item.value) } : toStatus(item),
        })),
      }))
    },
    async verifyToken(ctx, { token, requiredScopes, audience }) {
      const verified = await execute(verifyToken, ctx, { presented: token, requiredScopes, audience: audience ?? null })
      return mapResult(verified, (good) => ({ claims: toTokenClaims(good, issuer) }))
    },
    async introspectToken(ctx, { token }) {
      return mapResult(await execute(introspectToken, ctx, { presented: token }), toIntrospection)
    },
    async batchIntrospectTokens(ctx, { tokens }) {
      const found = await execute(introspectTokens, ctx, { presented: tokens })
      return mapResult(found, (results) => ({ results: results.map(toIntrospection) }))
    },
    async revokeToken(ctx, { token }) {
      return mapResult(await execute(revokeToken, ctx, { presented: token }), () => ({}))
    },
    async listTokens(ctx, request) {
      const filter = {
        clientId: request.clientId === undefined ? null : clientId(request.clientId),
        userId: request.userId === undefined ? null : userId(request.userId),
        activeOnly: request.activeOnly,
      }
      const { pageSize, pageToken } = request
      return mapResult(await execute(listTokens, ctx, { filter, pageSize, pageToken }), ({ items, nextPageToken }) => ({
        tokens: items.map((standing) => toTokenMetadata(standing, ctx.now)),
        nextPageToken,
      }))
    },
    async revokeTokens(ctx, request) {
      const target = fromRevocationTarget(request)
      if (target === null) {
        return fail('oauth.invalid_request', { violations: [{ field: 'target', description: 'one must be set' }] })
      }
      const revoked = await execute(revokeTokens, ctx, { target, reason: request.reason })
      return mapResult(revoked, (revokedCount) => (revokedCount === null ? {} : { revokedCount }))
    },
  }
}

function fromRevocationTarget({ target }: RevokeTokensRequest): RevocationTarget | null {
  switch (target.case) {
    case 'tokenId':
      return { kind: 'token', tokenId: tokenId(target.value) }
    case 'clientId':
      return { kind: 'client', clientId: clientId(target.value) }
    case 'userId':
      return { kind: 'user', userId: userId(target.value) }
    case 'grantId':
      return { kind: 'grant', grantId: grantId(target.value) }
    case undefined:
      return null
    default:
      return target satisfies never
  }
}
