import type { MessageInitShape } from '@bufbuild/protobuf'
import type { CallContext } from '../../context.ts'
import { clientId, grantId, tokenId, userId } from '../../domain/ids.ts'
import { withoutSecrets } from '../../domain/masked-text.ts'
import { KEY_SET_MAX_AGE } from '../../domain/signing-key.ts'
import type { Found } from '../../flows/conditions/presented-token.ts'
import { clientCredentials, clientCredentialsBatch } from '../../flows/grants/client-credentials.ts'
import { createAuthorizationCode } from '../../flows/grants/create-authorization-code.ts'
import { exchangeAssertion } from '../../flows/grants/exchange-assertion.ts'
import { exchangeAuthorizationCode } from '../../flows/grants/exchange-authorization-code.ts'
import type { IssuedTokens } from '../../flows/grants/issue-tokens.ts'
import { refreshToken } from '../../flows/grants/refresh-token.ts'
import { ACCESS_TOKEN_TYPE, tokenExchange } from '../../flows/grants/token-exchange.ts'
import { getJsonWebKeySet } from '../../flows/keys/manage-signing-keys.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import { introspectTokens } from '../../flows/tokens/introspect-tokens.ts'
import { listTokens } from '../../flows/tokens/list-tokens.ts'
import { revokeToken } from '../../flows/tokens/revoke-token.ts'
import { type RevocationTarget, revokeTokens } from '../../flows/tokens/revoke-tokens.ts'
import { verifyToken } from '../../flows/tokens/verify-token.ts'
import {
  CodeChallengeMethod,
  type IntrospectTokenResponseSchema,
  type RevokeTokensRequest,
  type TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import { invalidRequest, mapResult, type Result } from '../../results.ts'
import { toJsonWebKey } from '../convert/signing-key.ts'
import { toDuration, toTimestamp } from '../convert/time.ts'
import { fromTokenWishes, toIssuedToken, toTokenClaims, toTokenMetadata } from '../convert/token.ts'
import { fromUserReference } from '../convert/user.ts'
import type { ServiceHandlers } from '../routes.ts'
import { toRpcStatus } from '../rpc-status.ts'

export interface TokenHandlerOptions {
  readonly issuer: string
  /** Where errors are documented; see `toRpcStatus`. */
  readonly helpBase: string | undefined
}

export function tokenHandlers(
  runner: FlowRunner,
  { issuer, helpBase }: TokenHandlerOptions,
): ServiceHandlers<typeof TokenService> {
  const toIntrospection = (found: Found | null): MessageInitShape<typeof IntrospectTokenResponseSchema> =>
    found === null ? { active: false } : { active: true, claims: toTokenClaims(found, issuer) }
  const toToken = (ctx: CallContext, issued: Result<IssuedTokens>) =>
    mapResult(issued, (tokens) => ({ token: toIssuedToken(tokens, ctx.now) }))

  return {
    async mintToken(ctx, request) {
      return toToken(ctx, await runner.execute(clientCredentials, ctx, fromTokenWishes(request)))
    },
    async batchMintTokens(ctx, { requests }) {
      const minted = await runner.execute(clientCredentialsBatch, ctx, { requests: requests.map(fromTokenWishes) })
      const toResult = (item: Result<IssuedTokens>) =>
        item.ok
          ? { case: 'token' as const, value: toIssuedToken(item.value, ctx.now) }
          : { case: 'status' as const, value: toRpcStatus(item, ctx.rayId, helpBase) }
      return mapResult(minted, (items) => ({ results: items.map((item) => ({ result: toResult(item) })) }))
    },
    async createAuthorizationCode(ctx, request) {
      const created = await runner.execute(createAuthorizationCode, ctx, {
        clientId: clientId(request.clientId),
        userReference: fromUserReference(request.user),
        redirectUri: request.redirectUri,
        requestedScopes: request.scopes,
        requestedAudiences: request.audiences,
        codeChallenge: request.codeChallenge ?? null,
        challengeMethodNamed: request.codeChallengeMethod === CodeChallengeMethod.S256,
      })
      return mapResult(created, ({ value, code }) => ({ code: value, expireTime: toTimestamp(code.expiresAt) }))
    },
    async exchangeAuthorizationCode(ctx, { code, redirectUri, codeVerifier = null }) {
      const request = { presentedCode: code, redirectUri, codeVerifier }
      return toToken(ctx, await runner.execute(exchangeAuthorizationCode, ctx, request))
    },
    async refreshToken(ctx, request) {
      const wanted = { presentedToken: request.refreshToken, requestedScopes: request.scopes }
      return toToken(ctx, await runner.execute(refreshToken, ctx, wanted))
    },
    async exchangeToken(ctx, request) {
      const exchanged = await runner.execute(tokenExchange, ctx, {
        subjectToken: request.subjectToken,
        subjectTokenType: request.subjectTokenType,
        actorToken: request.actorToken ?? null,
        actorTokenType: request.actorTokenType ?? null,
        requestedTokenType: request.requestedTokenType ?? null,
        requestedScopes: request.scopes,
        requestedAudiences: request.audiences,
      })
      const issuedTokenType = ACCESS_TOKEN_TYPE
      return mapResult(exchanged, (issued) => ({ token: { ...toIssuedToken(issued, ctx.now), issuedTokenType } }))
    },
    async exchangeAssertion(ctx, { assertion, scopes, audiences }) {
      const wishes = { requestedScopes: scopes, requestedAudiences: audiences, requestedLifetime: null }
      return toToken(ctx, await runner.execute(exchangeAssertion, ctx, { assertion, ...wishes }))
    },
    async verifyToken(ctx, { token, requiredScopes, audience = null, presentedCertificateSha256 = null }) {
      const wanted = { presented: token, requiredScopes, audience, presentedCertificate: presentedCertificateSha256 }
      const verified = await runner.query(verifyToken, ctx, wanted)
      return mapResult(verified, (found) => ({ claims: toTokenClaims(found, issuer) }))
    },
    async introspectToken(ctx, { token }) {
      const found = await runner.query(introspectTokens, ctx, { presented: [token] })
      return mapResult(found, ([only]) => toIntrospection(only ?? null))
    },
    async batchIntrospectTokens(ctx, { tokens }) {
      const found = await runner.query(introspectTokens, ctx, { presented: tokens })
      return mapResult(found, (results) => ({ results: results.map(toIntrospection) }))
    },
    async revokeToken(ctx, { token }) {
      return mapResult(await runner.execute(revokeToken, ctx, { presented: token }), () => ({}))
    },
    async listTokens(ctx, request) {
      const filter = {
        clientId: request.clientId === undefined ? null : clientId(request.clientId),
        userId: request.userId === undefined ? null : userId(request.userId),
        activeOnly: request.activeOnly,
      }
      const { pageSize, pageToken } = request
      return mapResult(
        await runner.query(listTokens, ctx, { filter, pageSize, pageToken }),
        ({ items, nextPageToken }) => ({
          tokens: items.map(toTokenMetadata),
          nextPageToken,
        }),
      )
    },
    async revokeTokens(ctx, request) {
      const target = fromRevocationTarget(request)
      if (target === null) {
        return invalidRequest('target', 'one must be set')
      }
      const revoked = await runner.execute(revokeTokens, ctx, { target, reason: withoutSecrets(request.reason) })
      return mapResult(revoked, (revokedCount) => (revokedCount === null ? {} : { revokedCount }))
    },
    async getJsonWebKeySet(ctx) {
      return mapResult(await runner.query(getJsonWebKeySet, ctx, {}), (keys) => ({
        keys: keys.map(toJsonWebKey),
        maxAge: toDuration(KEY_SET_MAX_AGE),
      }))
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
