import { type AccessToken, MAX_ANCESTORS } from '../../domain/access-token.ts'
import { answersFor, type Client } from '../../domain/client.ts'
import { expiryWithin } from '../../domain/expiry.ts'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import { ACCESS_TOKEN_TYPE } from '../../domain/token-types.ts'
import { HOLDS, invalidRequest, type Result, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-length.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { identityHasOneAudience } from '../conditions/identity-token.ts'
import { isMeantFor, lookUpToken } from '../conditions/presented-token.ts'
import {
  audiencesAreAllowed,
  defaultScopes,
  openAmong,
  refuseAudiences,
  withoutPermissions,
} from '../conditions/request.ts'
import { signerIsReady } from '../conditions/signing-key.ts'
import type { FlowContext } from '../context.ts'
import { defineFlow, oneToken } from '../flow.ts'
import { drawAccessToken } from './issue-tokens.ts'
import { mintLimits } from './mint-limits.ts'
import { tokenIsAppended } from './store-tokens.ts'

/** The maximum number of actors. Longer chains, which an actor token may bring, make responsibility untraceable. */
const MAX_ACTORS = 5

export interface ExchangeRequest {
  readonly subjectToken: string
  readonly subjectTokenType: string
  /** `null`: the client itself is the actor. */
  readonly actorToken: string | null
  readonly actorTokenType: string | null
  /** `null`: an access token. */
  readonly requestedTokenType: string | null
  readonly requestedScopes: readonly string[]
  readonly requestedAudiences: readonly string[]
}

export type Asked = ExchangeRequest & { readonly client: Client }

/** RFC 8693 §2.1: the token types are known, and an actor token type is present if and only if an actor token is. */
const tokenTypesAreKnown = condition<ExchangeRequest>('tokenTypesAreKnown', (_ctx, request) => {
  const { requestedTokenType } = request
  return requestedTokenType !== null && requestedTokenType !== ACCESS_TOKEN_TYPE
    ? invalidRequest('requested_token_type', `must be ${ACCESS_TOKEN_TYPE}`)
    : evaluatePresentedTypes(request)
})

/** Subject and actor tokens must be access tokens. */
export function evaluatePresentedTypes({
  subjectTokenType,
  actorToken,
  actorTokenType,
}: ExchangeRequest): Result<object> {
  const wanted = `must be ${ACCESS_TOKEN_TYPE}`
  if (subjectTokenType !== ACCESS_TOKEN_TYPE) return invalidRequest('subject_token_type', wanted)
  if (actorToken === null && actorTokenType !== null) {
    return invalidRequest('actor_token_type', 'must be absent without an actor_token')
  }
  return actorToken !== null && actorTokenType !== ACCESS_TOKEN_TYPE
    ? invalidRequest('actor_token_type', wanted)
    : HOLDS
}

/** A token and its ancestors. */
interface Acceptable {
  readonly token: AccessToken
  readonly ancestors: readonly AccessToken[]
}

/**
 * An active access token that the client may use: issued to it, with it as audience, or without audience. `null` for
 * anything else, refresh tokens included.
 */
async function acceptable(ctx: FlowContext, presented: string, client: Client): Promise<Acceptable | null> {
  const found = await lookUpToken(ctx, presented)
  if (found?.use !== 'access') return null
  const { refusal, ancestors } = await ctx.services.accessTokens.evaluate(ctx, found.status)
  const { token } = found.status
  const mayUse = token.clientId === client.clientId || isMeantFor(token, client)
  return refusal === null && mayUse ? { token, ancestors } : null
}

/**
 * RFC 8693 §2.2.2: a subject token that is unacceptable for any reason makes the request invalid. The answer does not
 * give the reason.
 */
export const subjectTokenIsAcceptable = condition<
  Asked,
  { readonly subject: AccessToken; readonly ancestors: readonly AccessToken[] }
>('subjectTokenIsAcceptable', async (ctx, { subjectToken, client }) => {
  const found = await acceptable(ctx, subjectToken, client)
  return found === null || found.ancestors.length >= MAX_ANCESTORS
    ? invalidRequest('subject_token', 'is not acceptable')
    : success({ subject: found.token, ancestors: [...found.ancestors, found.token] })
})

/**
 * An actor token identifies the actor, so it must have been given to the client: issued to it, or with it as named
 * audience. A token without audience is given to many parties, and each could use it to shift responsibility.
 */
async function acceptableActor(ctx: FlowContext, presented: string, client: Client): Promise<AccessToken | null> {
  const token = (await acceptable(ctx, presented, client))?.token ?? null
  return token?.audiences.length === 0 && token.clientId !== client.clientId ? null : token
}

/**
 * RFC 8693 §4.1: the current actor is added to the chain: the actor token's subject with its own actors, or the client
 * if there is no actor token. A client that may impersonate leaves the chain unchanged.
 */
export const actorIsKnown = condition<
  Asked & { readonly subject: AccessToken },
  { readonly actors: readonly string[]; readonly until: EpochMs }
>('actorIsKnown', async (ctx, { actorToken, client, subject }) => {
  if (actorToken === null) {
    const { allowImpersonation } = client.config
    const actors = allowImpersonation ? subject.actors : [client.clientId, ...subject.actors]
    return actors.length > MAX_ACTORS
      ? invalidRequest('subject_token', 'is not acceptable')
      : success({ actors, until: subject.expiresAt })
  }
  const actor = await acceptableActor(ctx, actorToken, client)
  const actors = actor === null ? [] : [actor.subject, ...actor.actors, ...subject.actors]
  // The new token must not outlive the actor token.
  return actor === null || actors.length > MAX_ACTORS
    ? invalidRequest('actor_token', 'is not acceptable')
    : success({ actors, until: epochMs(Math.min(subject.expiresAt, actor.expiresAt)) })
})

/**
 * RFC 8693 §2.1: the scopes are within those of the subject token and of the client, without permissions of this
 * server. If no scope is left, the exchange is refused.
 */
export const scopesAreNotWidened = condition<
  Asked & { readonly subject: AccessToken },
  { readonly scopes: readonly string[] }
>('scopesAreNotWidened', (_ctx, { client, subject, requestedScopes }) => {
  const both = withoutPermissions(subject.scopes).filter((scope) => client.scopes.includes(scope))
  return defaultScopes(requestedScopes, both, subject.scopes)
})

/**
 * A token with audiences never becomes one without because none was requested. It keeps its audiences that are also the
 * client's. If there are none, it gets the client's audiences, and then those that the client owns.
 */
const audiencesAreKept = condition<
  Asked & { readonly subject: AccessToken; readonly audiences: readonly string[] },
  { readonly audiences: readonly string[] }
>('audiencesAreKept', async (ctx, { audiences, client, subject }) => {
  if (audiences.length > 0 || subject.audiences.length === 0) return success({ audiences })
  const kept = [
    subject.audiences.filter((audience) => client.audiences.includes(audience)),
    client.audiences,
    subject.audiences.filter((audience) => answersFor(client, audience)),
  ].find((each) => each.length > 0)
  if (kept === undefined) return refuseAudiences(subject.audiences)
  const open = await openAmong(ctx, kept)
  return open.length === 0 ? refuseAudiences(kept) : success({ audiences: open })
})

/** RFC 8693: a service exchanges the token that it received for one with which it calls the next service. */
export const tokenExchange = defineFlow({
  name: 'tokenExchange',
  lane: 'append',
  issues: oneToken('token_exchange'),
  preconditions: given<ExchangeRequest>()
    .and(callerIsClient)
    .and(grantIsAllowed('token_exchange'))
    .and(tokenTypesAreKnown)
    .and(subjectTokenIsAcceptable)
    .and(actorIsKnown)
    .and(scopesAreNotWidened)
    .and(audiencesAreAllowed)
    .and(audiencesAreKept)
    .and(identityHasOneAudience)
    .and(signerIsReady)
    .and(tokenIsNotTooLong((content) => content)),
  reserve: mintLimits(),
  run: (ctx, { client, signer, subject, ancestors, actors, until, scopes, audiences }) =>
    drawAccessToken(
      ctx,
      { client, signer },
      {
        subject: subject.subject,
        userId: subject.userId,
        userGeneration: subject.userGeneration,
        grantId: subject.grantId,
        scopes,
        audiences,
        actors,
        ancestors: ancestors.map(({ tokenId }) => tokenId),
        extra: null,
        expiresAt: expiryWithin(ctx.now, client.config.accessTokenTtl, until),
      },
      ancestors,
    ),
  postconditions: [tokenIsAppended('token.exchanged')],
})
