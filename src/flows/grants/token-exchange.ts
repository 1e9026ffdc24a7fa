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

/** Beyond this many actors, whose chain an actor token brings along, nobody can tell any more who asked for what. */
const MAX_ACTORS = 5

export interface ExchangeRequest {
  readonly subjectToken: string
  readonly subjectTokenType: string
  /** `null`: the client itself acts. */
  readonly actorToken: string | null
  readonly actorTokenType: string | null
  /** `null`: an access token. */
  readonly requestedTokenType: string | null
  readonly requestedScopes: readonly string[]
  readonly requestedAudiences: readonly string[]
}

export type Asked = ExchangeRequest & { readonly client: Client }

/** RFC 8693 §2.1: types that this server knows, and an actor token type if and only if there is an actor token. */
const tokenTypesAreKnown = condition<ExchangeRequest>('tokenTypesAreKnown', (_ctx, request) => {
  const { requestedTokenType } = request
  return requestedTokenType !== null && requestedTokenType !== ACCESS_TOKEN_TYPE
    ? invalidRequest('requested_token_type', `must be ${ACCESS_TOKEN_TYPE}`)
    : evaluatePresentedTypes(request)
})

/** Subject and actor are access tokens. */
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

/** A token, and those it was exchanged from. */
interface Acceptable {
  readonly token: AccessToken
  readonly ancestors: readonly AccessToken[]
}

/**
 * An active access token that the client may use: issued to it, meant for it, or
 * for nobody in particular; `null` for anything else, refresh tokens included.
 */
async function acceptable(ctx: FlowContext, presented: string, client: Client): Promise<Acceptable | null> {
  const found = await lookUpToken(ctx, presented)
  if (found?.use !== 'access') return null
  const { refusal, ancestors } = await ctx.services.accessTokens.evaluate(ctx, found.status)
  const { token } = found.status
  const mayUse = token.clientId === client.clientId || isMeantFor(token, client)
  return refusal === null && mayUse ? { token, ancestors } : null
}

/** RFC 8693 §2.2.2: a subject token that is not acceptable, for whatever reason, is an invalid request; no hint why. */
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
 * An actor token says who acts, so it must have been entrusted to the client:
 * issued to it, or for it by name. One for nobody in particular is handed to
 * many, each of whom could pass the blame on with it.
 */
async function acceptableActor(ctx: FlowContext, presented: string, client: Client): Promise<AccessToken | null> {
  const token = (await acceptable(ctx, presented, client))?.token ?? null
  return token?.audiences.length === 0 && token.clientId !== client.clientId ? null : token
}

/**
 * RFC 8693 §4.1: the chain of actors grows by who acts now: the actor token's
 * subject with those who act for it in turn, else the client. A client that may
 * impersonate leaves it as it is.
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
  // Nobody acts for longer than they can prove to be there.
  return actor === null || actors.length > MAX_ACTORS
    ? invalidRequest('actor_token', 'is not acceptable')
    : success({ actors, until: epochMs(Math.min(subject.expiresAt, actor.expiresAt)) })
})

/**
 * RFC 8693 §2.1: never wider than the subject token, nor than the client;
 * permissions of this server never pass. Where they have none in common there is
 * nothing to exchange for.
 */
export const scopesAreNotWidened = condition<
  Asked & { readonly subject: AccessToken },
  { readonly scopes: readonly string[] }
>('scopesAreNotWidened', (_ctx, { client, subject, requestedScopes }) => {
  const both = withoutPermissions(subject.scopes).filter((scope) => client.scopes.includes(scope))
  return defaultScopes(requestedScopes, both, subject.scopes)
})

/**
 * A token for somebody does not become one for anybody because no audience was
 * asked: it stays with those of its audiences that are the client's, else is for
 * the client's, else for what the client answers for itself.
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

/** RFC 8693: a service trades the token it was handed for one to call the next service with. */
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
