import { uuidV7 } from '../../crypto/random.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import { expiryWithin } from '../../domain/expiry.ts'
import { milliseconds } from '../../domain/ids.ts'
import { distinct } from '../../domain/scopes.ts'
import { TRANSACTION_TOKEN_TYPE } from '../../domain/token-types.ts'
import { jsonObject } from '../../json-object.ts'
import { HOLDS, invalidRequest, type Result, success } from '../../results.ts'
import type { AppendStores } from '../../stores/contract/backend.ts'
import { condition, given, postcondition } from '../condition.ts'
import { jwtIsNotTooLong } from '../conditions/access-token-length.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { audiencesAreAllowed } from '../conditions/request.ts'
import { signerLasts } from '../conditions/signing-key.ts'
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

/** The draft wants minutes or less. It cannot be taken for itself, so it lives no longer than a transaction takes. */
export const TRANSACTION_LIFETIME = milliseconds(60_000)

type JsonObject = Readonly<Record<string, unknown>>

interface TransactionRequest extends ExchangeRequest {
  /** JSON objects as text; `null`: none. */
  readonly requestContext: string | null
  readonly requestDetails: string | null
}

interface Contexts {
  readonly contexts: { readonly rctx?: JsonObject; readonly tctx?: JsonObject }
}

interface IssuedTransaction extends IssuedTokens {
  readonly transactionId: string
}

/** Subject and actor are access tokens. A transaction token stands for neither: it would be replaced, which is not done here. */
const presentedTypesAreKnown = condition<TransactionRequest>('presentedTypesAreKnown', (_ctx, request) =>
  evaluatePresentedTypes(request),
)

/** The draft, Txn-Token Request: `scope` says what the transaction is for, and `audience` is the trust domain. */
const purposeIsNamed = condition<TransactionRequest>(
  'purposeIsNamed',
  (_ctx, { requestedScopes, requestedAudiences }) => {
    if (requestedScopes.length === 0) return invalidRequest('scopes', 'must say what the transaction is for')
    return distinct(requestedAudiences).length === 1
      ? HOLDS
      : invalidRequest('audiences', 'must be exactly one for a transaction token: the trust domain')
  },
)

/** The draft, Txn-Token Request: both are JSON objects. A name that occurs twice would be read in two ways. */
const contextsAreObjects = condition<TransactionRequest, Contexts>(
  'contextsAreObjects',
  (_ctx, { requestContext, requestDetails }) => {
    const rctx = readObject('request_context', requestContext)
    const tctx = readObject('request_details', requestDetails)
    if (!rctx.ok) return rctx
    if (!tctx.ok) return tctx
    return success({
      contexts: {
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

/** The token is stored, and recorded with the id of its transaction; what it tells of the transaction is nobody else's. */
const transactionIsAppended = postcondition<{ readonly issued: IssuedTransaction }, AppendStores>(
  'transactionIsAppended',
  (ctx, { issued: { token, transactionId } }) => {
    appendToken(ctx, token, 'token.exchanged', { issued_token_type: TRANSACTION_TOKEN_TYPE, txn: transactionId })
    return HOLDS
  },
)

/**
 * draft-ietf-oauth-transaction-tokens: a workload trades the token it was handed for one that tells all workloads of a call
 * chain for whom, and what for, the chain was begun. No workload proves itself by it.
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
    .and(subjectTokenIsAcceptable)
    .and(actorIsKnown)
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
    const { client, signer, subject, ancestors, actors, until, scopes, audiences, contexts } = facts
    const transactionId = uuidV7()
    const lifetime = milliseconds(Math.min(TRANSACTION_LIFETIME, client.config.accessTokenTtl))
    const claims = {
      subject: subject.subject,
      userId: subject.userId,
      userGeneration: subject.userGeneration,
      grantId: subject.grantId,
      clientId: client.clientId,
      clientGeneration: client.tokenGeneration,
      // It is handed on through the call chain.
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
