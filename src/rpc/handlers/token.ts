import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { CallContext } from '../../context.ts'
import type { Experiment } from '../../domain/experiments.ts'
import { clientId, grantId, tokenId, userId } from '../../domain/ids.ts'
import { withoutSecrets } from '../../domain/secret-text.ts'
import { KEY_SET_MAX_AGE } from '../../domain/signing-key.ts'
import { ACCESS_TOKEN_TYPE, TRANSACTION_TOKEN_TYPE } from '../../domain/token-types.ts'
import type { ActiveToken } from '../../flows/conditions/presented-token.ts'
import { clientCredentials, clientCredentialsBatch } from '../../flows/grants/client-credentials.ts'
import { createAuthorizationCode } from '../../flows/grants/create-authorization-code.ts'
import { exchangeAssertion } from '../../flows/grants/exchange-assertion.ts'
import { exchangeAuthorizationCode } from '../../flows/grants/exchange-authorization-code.ts'
import type { IssuedTokens } from '../../flows/grants/issue-tokens.ts'
import { refreshToken } from '../../flows/grants/refresh-token.ts'
import { tokenExchange } from '../../flows/grants/token-exchange.ts'
import { transactionToken } from '../../flows/grants/transaction-token.ts'
import { getJsonWebKeySet } from '../../flows/keys/manage-signing-keys.ts'
import type { RevocationPolls } from '../../flows/revocations/poll-revocations.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import { explainToken } from '../../flows/tokens/explain-token.ts'
import { getProtectedResource } from '../../flows/tokens/get-protected-resource.ts'
import { introspectTokens } from '../../flows/tokens/introspect-tokens.ts'
import { listGrants } from '../../flows/tokens/list-grants.ts'
import { listTokens } from '../../flows/tokens/list-tokens.ts'
import { revokeLeakedToken } from '../../flows/tokens/revoke-leaked-token.ts'
import { revokeToken } from '../../flows/tokens/revoke-token.ts'
import { type RevocationTarget, revokeTokens } from '../../flows/tokens/revoke-tokens.ts'
import { signIntrospection } from '../../flows/tokens/sign-introspection.ts'
import { type VerifyTokenRequest as AskedOfToken, verifyToken } from '../../flows/tokens/verify-token.ts'
import {
  CodeChallengeMethod,
  IntrospectTokenResponseSchema,
  type RevokeTokensRequest,
  type TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import { invalidRequest, mapResult, type Result, success } from '../../results.ts'
import { toExplanation } from '../convert/explanation.ts'
import { toIntrospection } from '../convert/introspection.ts'
import { fromPollRequest, PollAnswers } from '../convert/revocations.ts'
import { toPublishedKey } from '../convert/signing-key.ts'
import { toDuration, toTimestamp } from '../convert/time.ts'
import {
  fromExchangeRequest,
  fromTokenRequest,
  toGrantMetadata,
  toIssuedToken,
  toTokenClaims,
  toTokenMetadata,
} from '../convert/token.ts'
import { readTransactionContext } from '../convert/transaction-context.ts'
import { fromUserReference } from '../convert/user.ts'
import type { AnswerOf, RequestOf, ServiceHandlers } from '../routes.ts'
import { toRpcStatus } from '../rpc-status.ts'
import { inUniformTime } from '../uniform-time.ts'

export interface TokenHandlerOptions {
  readonly polls: RevocationPolls
  readonly issuer: string
  /** Those that are turned on. */
  readonly experiments: readonly Experiment[]
  /** Where errors are documented; see `toRpcStatus`. */
  readonly helpBase: string | undefined
}

type Methods = typeof TokenService.method
type Request<Name extends keyof Methods> = RequestOf<Methods[Name]>
type Answer<Name extends keyof Methods> = AnswerOf<Methods[Name]>

export class TokenHandlers implements ServiceHandlers<typeof TokenService> {
  readonly #runner: FlowRunner
  readonly #options: TokenHandlerOptions
  readonly #pollAnswers = new PollAnswers()

  constructor(runner: FlowRunner, options: TokenHandlerOptions) {
    this.#runner = runner
    this.#options = options
  }

  async mintToken(ctx: CallContext, request: Request<'mintToken'>): Answer<'mintToken'> {
    return toToken(ctx, await this.#runner.execute(clientCredentials, ctx, fromTokenRequest(request)))
  }

  async batchMintTokens(ctx: CallContext, { requests }: Request<'batchMintTokens'>): Answer<'batchMintTokens'> {
    const minted = await this.#runner.execute(clientCredentialsBatch, ctx, { requests: requests.map(fromTokenRequest) })
    const toResult = (item: Result<IssuedTokens>) =>
      item.ok
        ? { case: 'token' as const, value: toIssuedToken(item.value, ctx.now) }
        : { case: 'status' as const, value: toRpcStatus(item, ctx.rayId, this.#options.helpBase) }
    return mapResult(minted, (items) => ({ results: items.map((item) => ({ result: toResult(item) })) }))
  }

  async createAuthorizationCode(
    ctx: CallContext,
    request: Request<'createAuthorizationCode'>,
  ): Answer<'createAuthorizationCode'> {
    const created = await this.#runner.execute(createAuthorizationCode, ctx, {
      clientId: clientId(request.clientId),
      userReference: fromUserReference(request.user),
      redirectUri: request.redirectUri,
      requestedScopes: request.scopes,
      requestedAudiences: request.audiences,
      codeChallenge: request.codeChallenge ?? null,
      challengeMethodNamed: request.codeChallengeMethod === CodeChallengeMethod.S256,
    })
    return mapResult(created, ({ value, code }) => ({ code: value, expireTime: toTimestamp(code.expiresAt) }))
  }

  async exchangeAuthorizationCode(
    ctx: CallContext,
    { code, redirectUri, codeVerifier, audiences }: Request<'exchangeAuthorizationCode'>,
  ): Answer<'exchangeAuthorizationCode'> {
    const request = {
      presentedCode: code,
      redirectUri,
      codeVerifier: codeVerifier ?? null,
      requestedAudiences: audiences,
    }
    return toToken(ctx, await this.#runner.execute(exchangeAuthorizationCode, ctx, request))
  }

  async refreshToken(ctx: CallContext, request: Request<'refreshToken'>): Answer<'refreshToken'> {
    const wanted = {
      presentedToken: request.refreshToken,
      requestedScopes: request.scopes,
      requestedAudiences: request.audiences,
    }
    return toToken(ctx, await this.#runner.execute(refreshToken, ctx, wanted))
  }

  async exchangeToken(ctx: CallContext, request: Request<'exchangeToken'>): Answer<'exchangeToken'> {
    const wanted = fromExchangeRequest(request)
    const isTransaction = wanted.requestedTokenType === TRANSACTION_TOKEN_TYPE
    if (isTransaction && this.#options.experiments.includes('transaction-tokens')) {
      return await this.#transactionToken(ctx, request)
    }
    if (!isTransaction && request.transactionContext.length > 0) {
      return invalidRequest(
        'transaction_context',
        'is allowed only with the requested_token_type of transaction tokens',
      )
    }
    const exchanged = await this.#runner.execute(tokenExchange, ctx, wanted)
    if (!exchanged.ok) return exchanged
    const token = { ...toIssuedToken(exchanged.value, ctx.now), issuedTokenType: ACCESS_TOKEN_TYPE }
    return success({ token })
  }

  /** RFC 8693 §2.2.1: what is no token for a resource, whoever bears it, has the type `N_A`. */
  async #transactionToken(ctx: CallContext, request: Request<'exchangeToken'>): Answer<'exchangeToken'> {
    const context = readTransactionContext(request.transactionContext)
    if (!context.ok) return context
    const issued = await this.#runner.execute(transactionToken, ctx, {
      ...fromExchangeRequest(request),
      requestContext: context.value.requestContext || null,
      requestDetails: context.value.requestDetails || null,
    })
    const types = { tokenType: 'N_A', issuedTokenType: TRANSACTION_TOKEN_TYPE }
    return mapResult(issued, (tokens) => ({ token: { ...toIssuedToken(tokens, ctx.now), ...types } }))
  }

  async exchangeAssertion(
    ctx: CallContext,
    { assertion, scopes, audiences }: Request<'exchangeAssertion'>,
  ): Answer<'exchangeAssertion'> {
    const request = { requestedScopes: scopes, requestedAudiences: audiences, requestedLifetime: null }
    return toToken(ctx, await this.#runner.execute(exchangeAssertion, ctx, { assertion, ...request }))
  }

  async verifyToken(ctx: CallContext, request: Request<'verifyToken'>): Answer<'verifyToken'> {
    const verified = await this.#runner.query(verifyToken, ctx, fromVerifyToken(request))
    return mapResult(verified, (found) => ({ claims: toTokenClaims(found, this.#options.issuer) }))
  }

  async introspectToken(ctx: CallContext, { token, signed }: Request<'introspectToken'>): Answer<'introspectToken'> {
    const found = await this.#runner.query(introspectTokens, ctx, { presented: [token] })
    if (!found.ok) return found
    const response = toIntrospectTokenResponse(found.value[0] ?? null, this.#options.issuer)
    if (!signed) return success(response)
    const answer = toIntrospection(create(IntrospectTokenResponseSchema, response))
    const signing = await this.#runner.execute(signIntrospection, ctx, { answer })
    return mapResult(signing, (signedIntrospection) => ({ ...response, signedIntrospection }))
  }

  async batchIntrospectTokens(
    ctx: CallContext,
    { tokens }: Request<'batchIntrospectTokens'>,
  ): Answer<'batchIntrospectTokens'> {
    const found = await this.#runner.query(introspectTokens, ctx, { presented: tokens })
    return mapResult(found, (results) => ({
      results: results.map((result) => toIntrospectTokenResponse(result, this.#options.issuer)),
    }))
  }

  async explainToken(ctx: CallContext, request: Request<'explainToken'>): Answer<'explainToken'> {
    return mapResult(await this.#runner.query(explainToken, ctx, fromVerifyToken(request)), toExplanation)
  }

  async revokeToken(ctx: CallContext, { token }: Request<'revokeToken'>): Answer<'revokeToken'> {
    return mapResult(await this.#runner.execute(revokeToken, ctx, { presented: token }), () => ({}))
  }

  async revokeLeakedToken(ctx: CallContext, { token }: Request<'revokeLeakedToken'>): Answer<'revokeLeakedToken'> {
    const revoked = await inUniformTime(ctx, () => this.#runner.execute(revokeLeakedToken, ctx, { presented: token }))
    return mapResult(revoked, () => ({}))
  }

  async listTokens(ctx: CallContext, request: Request<'listTokens'>): Answer<'listTokens'> {
    const listed = await this.#runner.query(listTokens, ctx, fromList(request))
    return mapResult(listed, ({ items, nextPageToken }) => ({ tokens: items.map(toTokenMetadata), nextPageToken }))
  }

  async listGrants(ctx: CallContext, request: Request<'listGrants'>): Answer<'listGrants'> {
    const listed = await this.#runner.query(listGrants, ctx, fromList(request))
    return mapResult(listed, ({ items, nextPageToken }) => ({ grants: items.map(toGrantMetadata), nextPageToken }))
  }

  async revokeTokens(ctx: CallContext, request: Request<'revokeTokens'>): Answer<'revokeTokens'> {
    const target = fromRevocationTarget(request)
    if (target === null) {
      return invalidRequest('target', 'must be set by exactly one of token_id, client_id, user_id, grant_id')
    }
    const revoked = await this.#runner.execute(revokeTokens, ctx, { target, reason: withoutSecrets(request.reason) })
    return mapResult(revoked, (revokedCount) => (revokedCount === null ? {} : { revokedCount }))
  }

  async pollRevocations(ctx: CallContext, request: Request<'pollRevocations'>): Answer<'pollRevocations'> {
    const wanted = fromPollRequest(request)
    if (wanted === null) {
      return invalidRequest('from', 'must be set by exactly one of start, cursor')
    }
    return mapResult(await this.#options.polls.poll(ctx, wanted), (polled) => this.#pollAnswers.of(polled))
  }

  async getProtectedResourceMetadata(
    ctx: CallContext,
    { resource }: Request<'getProtectedResourceMetadata'>,
  ): Answer<'getProtectedResourceMetadata'> {
    const found = await this.#runner.query(getProtectedResource, ctx, { resource })
    // RFC 6750 §2.1; no other way is offered.
    return mapResult(found, (metadata) => ({ ...metadata, bearerMethodsSupported: ['header'] }))
  }

  async getJsonWebKeySet(ctx: CallContext): Answer<'getJsonWebKeySet'> {
    return mapResult(await this.#runner.query(getJsonWebKeySet, ctx, {}), (keys) => ({
      keys: keys.map(toPublishedKey),
      maxAge: toDuration(KEY_SET_MAX_AGE),
    }))
  }
}

/** VerifyToken and ExplainToken share this: the one decides, the other explains. */
function fromVerifyToken(request: Request<'verifyToken'> | Request<'explainToken'>): AskedOfToken {
  return {
    presented: request.token,
    requiredScopes: request.requiredScopes,
    audience: request.audience ?? null,
    presentedCertificate: request.presentedCertificateSha256 ?? null,
  }
}

/** Tokens and grants are listed by the same filter. */
function fromList(request: Request<'listTokens'> | Request<'listGrants'>) {
  const filter = {
    clientId: request.clientId === undefined ? null : clientId(request.clientId),
    userId: request.userId === undefined ? null : userId(request.userId),
    activeOnly: request.activeOnly,
  }
  const { pageSize, pageToken } = request
  return { filter, pageSize, pageToken }
}

function toToken(ctx: CallContext, issued: Result<IssuedTokens>) {
  return mapResult(issued, (tokens) => ({ token: toIssuedToken(tokens, ctx.now) }))
}

function toIntrospectTokenResponse(found: ActiveToken | null, issuer: string): IntrospectionInit {
  return found === null ? { active: false } : { active: true, claims: toTokenClaims(found, issuer) }
}

type IntrospectionInit = Exclude<MessageInitShape<typeof IntrospectTokenResponseSchema>, { readonly $typeName: string }>

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
