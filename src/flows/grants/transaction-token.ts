import { uuidV7 } from '../../crypto/random.ts'
import { type AccessToken, MAX_ANCESTORS } from '../../domain/access-token.ts'
import type { Client } from '../../domain/client.ts'
import { expiryWithin } from '../../domain/expiry.ts'
import { type EpochMs, milliseconds } from '../../domain/ids.ts'
import { distinct } from '../../domain/scopes.ts'
import { ACCESS_TOKEN_TYPE, TRANSACTION_TOKEN_TYPE } from '../../domain/token-types.ts'
import { isObject, jsonObject } from '../../json-object.ts'
import { HOLDS, invalidRequest, type Result, success } from '../../results.ts'
import type { AppendStores } from '../../stores/contract/backend.ts'
import { condition, given, postcondition } from '../condition.ts'
import { jwtIsNotTooLong } from '../conditions/access-token-length.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { audiencesAreAllowed } from '../conditions/request.ts'
import { signerLasts } from '../conditions/signing-key.ts'
import type { FlowContext } from '../context.ts'
import { defineFlow, oneToken } from '../flow.ts'
import { actOf, type IssuedTokens, seconds, signToken } from './issue-tokens.ts'
import { mintLimits } from './mint-limits.ts'
import { appendToken } from './store-tokens.ts'
import {
  actorIsKnown,
  type ExchangeRequest,
  evaluatePresentedTypes,
  scopesAreNotWidened,
  subjectTokenIsAcceptable,
} from './token-exchange.ts'

/**
 * The draft requires minutes or less. The token cannot be revoked by itself, so its lifetime is that of a transaction.
 */
export const TRANSACTION_LIFETIME = milliseconds(60_000)

type JsonObject = Readonly<Record<string, unknown>>

interface TransactionRequest extends ExchangeRequest {
  /** JSON objects as text; `null`: none. */
  readonly requestContext: string | null
  readonly requestDetails: string | null
}

/** The contexts of a transaction in a token. */
interface Contexts {
  readonly rctx?: JsonObject
  readonly tctx?: JsonObject
}

/** The claims that a replacement must take over from the replaced transaction token. */
interface Replaced {
  readonly transactionId: string
  readonly contexts: Contexts
}

interface IssuedTransaction extends IssuedTokens {
  readonly transactionId: string
}

/** The subject is an access token, or a transaction token to be replaced. The actor is an access token. */
const presentedTypesAreKnown = condition<TransactionRequest>('presentedTypesAreKnown', (_ctx, request) =>
  request.subjectTokenType === TRANSACTION_TOKEN_TYPE
    ? evaluatePresentedTypes({ ...request, subjectTokenType: ACCESS_TOKEN_TYPE })
    : evaluatePresentedTypes(request),
)

/** The draft, Txn-Token Request: `scope` states the purpose of the transaction, and `audience` is the trust domain. */
const purposeIsNamed = condition<TransactionRequest>(
  'purposeIsNamed',
  (_ctx, { requestedScopes, requestedAudiences }) => {
    if (requestedScopes.length === 0) return invalidRequest('scopes', 'must say what the transaction is for')
    return distinct(requestedAudiences).length === 1
      ? HOLDS
      : invalidRequest('audiences', 'must be exactly one for a transaction token: the trust domain')
  },
)

/** The draft, Txn-Token Request: both are JSON objects. A duplicate name would be ambiguous. */
const contextsAreObjects = condition<TransactionRequest, { readonly told: Contexts }>(
  'contextsAreObjects',
  (_ctx, { requestContext, requestDetails }) => {
    const rctx = readObject('request_context', requestContext)
    const tctx = readObject('request_details', requestDetails)
    if (!rctx.ok) return rctx
    if (!tctx.ok) return tctx
    return success({
      told: {
        ...(rctx.value !== null && { rctx: rctx.value }),
        ...(tctx.value !== null && { tctx: tctx.value }),
      },
    })
  },
)

function readObject(name: string, text: string | null): Result<JsonObject | null> {
  if (text === null) return success(null)
  const value = jsonObject(Buffer.from(text))
  return value === null
    ? invalidRequest(`transaction_context.${name}`, 'must be a JSON object in which no name occurs twice')
    : success(value)
}

type AskedTransaction = TransactionRequest & { readonly client: Client }

interface Subject {
  readonly subject: AccessToken
  readonly ancestors: readonly AccessToken[]
  /** `null`: this begins a new transaction. */
  readonly replaced: Replaced | null
}

/** An access token that the client may use, or an unexpired transaction token of the same trust domain. */
const transactionSubjectIsAcceptable = condition<AskedTransaction, Subject>(
  'transactionSubjectIsAcceptable',
  async (ctx, request) => {
    if (request.subjectTokenType === TRANSACTION_TOKEN_TYPE) return await evaluateReplaced(ctx, request)
    const decision = await subjectTokenIsAcceptable.check(ctx, request)
    return decision.ok ? success({ ...decision.value, replaced: null }) : decision
  },
)

/**
 * The draft, Txn-Token as a subject_token: `txn`, `sub` and `aud` stay unchanged, and the requesting workload stays in
 * the chain. The token is passed along, so any client registered for the trust domain may present it.
 */
async function evaluateReplaced(ctx: FlowContext, request: AskedTransaction): Promise<Result<Subject>> {
  const found = await ctx.services.accessTokens.findTransactionToken(ctx, request.subjectToken)
  if (found === null) return NOT_ACCEPTABLE
  const { token } = found.status
  const { refusal, ancestors } = await ctx.services.accessTokens.evaluate(ctx, found.status)
  if (refusal !== null || ancestors.length >= MAX_ANCESTORS) return NOT_ACCEPTABLE
  if (request.requestedAudiences.some((audience) => !token.audiences.includes(audience))) {
    return invalidRequest('audiences', 'must be the trust domain of the transaction token')
  }
  const { txn, rctx, tctx } = found.claims
  const actors = token.actors[0] === token.clientId ? token.actors : [token.clientId, ...token.actors]
  return success({
    subject: { ...token, actors },
    ancestors: [...ancestors, token],
    replaced: {
      transactionId: String(txn),
      contexts: { ...(isObject(rctx) && { rctx }), ...(isObject(tctx) && { tctx }) },
    },
  })
}

const NOT_ACCEPTABLE = invalidRequest('subject_token', 'is not acceptable')

/** The draft, Txn-Token as a subject_token: values may be added, but not changed. */
const contextsAreKept = condition<
  { readonly told: Contexts; readonly replaced: Replaced | null },
  { readonly contexts: Contexts }
>('contextsAreKept', (_ctx, { told, replaced }) => {
  const before = replaced?.contexts ?? {}
  for (const [claim, name] of [['rctx', 'request_context'] as const, ['tctx', 'request_details'] as const]) {
    const kept = before[claim] ?? {}
    if (Object.keys(told[claim] ?? {}).some((key) => Object.hasOwn(kept, key))) {
      return invalidRequest(
        `transaction_context.${name}`,
        'must not repeat claims that the transaction token already has',
      )
    }
  }
  const rctx = joined(before.rctx, told.rctx)
  const tctx = joined(before.tctx, told.tctx)
  return success({ contexts: { ...(rctx !== undefined && { rctx }), ...(tctx !== undefined && { tctx }) } })
})

function joined(before: JsonObject | undefined, told: JsonObject | undefined): JsonObject | undefined {
  if (before === undefined || told === undefined) return before ?? told
  return Object.fromEntries([...Object.entries(before), ...Object.entries(told)])
}

/**
 * Like any exchange, except that a client that may impersonate is added to the chain too: the chain is the purpose of
 * the token.
 */
const workloadIsInChain = condition<
  AskedTransaction & Subject,
  { readonly actors: readonly string[]; readonly until: EpochMs }
>('workloadIsInChain', async (ctx, facts) => {
  const { client } = facts
  const config = { ...client.config, allowImpersonation: false }
  return await actorIsKnown.check(ctx, { ...facts, client: { ...client, config } })
})

/**
 * The token is stored, and recorded with the id of its transaction. The contexts of the transaction are not recorded.
 */
const transactionIsAppended = postcondition<{ readonly issued: IssuedTransaction }, AppendStores>(
  'transactionIsAppended',
  (ctx, { issued: { token, transactionId } }) => {
    appendToken(ctx, token, 'token.exchanged', { issued_token_type: TRANSACTION_TOKEN_TYPE, txn: transactionId })
    return HOLDS
  },
)

/**
 * draft-ietf-oauth-transaction-tokens: a workload exchanges the token that it received for a transaction token. It
 * states the subject and the purpose of a call chain to all workloads in it. It authenticates no workload.
 */
export const transactionToken = defineFlow({
  name: 'transactionToken',
  lane: 'append',
  issues: oneToken('token_exchange'),
  preconditions: given<TransactionRequest>()
    .and(callerIsClient)
    .and(grantIsAllowed('token_exchange'))
    .and(presentedTypesAreKnown)
    .and(purposeIsNamed)
    .and(contextsAreObjects)
    .and(transactionSubjectIsAcceptable)
    .and(contextsAreKept)
    .and(workloadIsInChain)
    .and(scopesAreNotWidened)
    .and(audiencesAreAllowed)
    .and(signerLasts(TRANSACTION_LIFETIME))
    .and(
      jwtIsNotTooLong(({ scopes, audiences, actors, ancestors, contexts }) => ({
        scopes,
        audiences,
        actors,
        ancestors,
        more: contexts,
      })),
    ),
  reserve: mintLimits(),
  run: async (ctx, facts): Promise<IssuedTransaction> => {
    const { client, signer, subject, ancestors, actors, until, scopes, audiences, contexts, replaced } = facts
    const transactionId = replaced?.transactionId ?? uuidV7()
    const lifetime = milliseconds(Math.min(TRANSACTION_LIFETIME, client.config.accessTokenTtl))
    const claims = {
      subject: subject.subject,
      userId: subject.userId,
      userGeneration: subject.userGeneration,
      grantId: subject.grantId,
      clientId: client.clientId,
      clientGeneration: client.tokenGeneration,
      // It is passed along the call chain.
      confirmation: null,
      scopes,
      audiences,
      actors,
      ancestors: ancestors.map(({ tokenId }) => tokenId),
      extra: null,
      expiresAt: expiryWithin(ctx.now, lifetime, until),
    }
    const issued = await signToken(ctx, { signer, type: 'txntoken+jwt', ancestors }, claims, (token) => ({
      iss: ctx.services.issuer,
      txn: transactionId,
      ...transactionClaims(token),
      ...contexts,
    }))
    return { ...issued, transactionId }
  },
  postconditions: [transactionIsAppended],
})

/** The draft, JWT Body Claims. */
function transactionClaims(token: Omit<AccessToken, 'hash'>): object {
  const act = actOf(token.actors)
  return {
    aud: token.audiences[0],
    sub: token.subject,
    scope: token.scopes.join(' '),
    req_wl: token.clientId,
    iat: seconds(token.issuedAt),
    exp: seconds(token.expiresAt),
    jti: token.tokenId,
    ...(act !== undefined && { act }),
  }
}
