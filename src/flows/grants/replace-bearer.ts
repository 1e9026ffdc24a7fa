import { type AccessToken, MAX_ANCESTORS } from '../../domain/access-token.ts'
import type { Client } from '../../domain/client.ts'
import { expiryWithin } from '../../domain/expiry.ts'
import { milliseconds, type TokenId } from '../../domain/ids.ts'
import { fail, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { jwtIsNotTooLong } from '../conditions/access-token-length.ts'
import { withoutPermissions } from '../conditions/request.ts'
import { signerLasts } from '../conditions/signing-key.ts'
import { defineFlow, oneToken } from '../flow.ts'
import { drawTokenOf } from './issue-tokens.ts'
import { mintLimits } from './mint-limits.ts'
import { tokenIsAppended } from './store-tokens.ts'

/** The maximum lifetime of a replacement. */
export const REPLACEMENT_LIFETIME = milliseconds(60_000)

interface Replacement {
  /** The id of the bearer token, which was verified for the audience in the same call. */
  readonly tokenId: TokenId
  readonly audience: string
}

interface Replaceable {
  readonly client: Pick<Client, 'clientId'>
  readonly subject: AccessToken
  /** The subject token and its ancestors. */
  readonly ancestors: readonly AccessToken[]
  readonly scopes: readonly string[]
}

const INVALID = fail('oauth.invalid_token', { metadata: { token: 'presented' }, because: 'presented' })

/** Like an exchange: the length of the chain is limited, and permissions of this server are never passed on. */
const bearerMayBeReplaced = condition<Replacement, Replaceable>('bearerMayBeReplaced', async (ctx, { tokenId }) => {
  const status = await ctx.stores.accessTokens.findById(ctx, tokenId)
  if (status === null) return INVALID
  const { token } = status
  const { refusal, ancestors } = await ctx.services.accessTokens.evaluate(ctx, status)
  if (refusal !== null || ancestors.length >= MAX_ANCESTORS) return INVALID
  return success({
    client: { clientId: token.clientId },
    subject: token,
    ancestors: [...ancestors, token],
    scopes: withoutPermissions(token.scopes),
  })
})

/**
 * A proxy replaces the bearer token of a request by a JWT. The JWT is for one audience and one minute, with the same
 * client, subject and actors, bound to the same certificate. It is exchanged from the bearer token, so revoking that
 * one revokes it too.
 */
export const replaceBearer = defineFlow({
  name: 'replaceBearer',
  lane: 'append',
  issues: oneToken('token_exchange'),
  preconditions: given<Replacement>()
    .and(bearerMayBeReplaced)
    .and(signerLasts(REPLACEMENT_LIFETIME))
    .and(
      jwtIsNotTooLong(({ subject, ancestors, audience, scopes }) => ({
        scopes,
        audiences: [audience],
        actors: subject.actors,
        ancestors,
        extra: subject.extra,
      })),
    ),
  reserve: mintLimits(),
  run: (ctx, { subject, ancestors, audience, scopes, signer }) =>
    drawTokenOf(
      ctx,
      signer,
      'at+jwt',
      {
        subject: subject.subject,
        userId: subject.userId,
        userGeneration: subject.userGeneration,
        grantId: subject.grantId,
        clientId: subject.clientId,
        clientGeneration: subject.clientGeneration,
        confirmation: subject.confirmation,
        scopes,
        audiences: [audience],
        actors: subject.actors,
        ancestors: ancestors.map(({ tokenId }) => tokenId),
        extra: subject.extra,
        expiresAt: expiryWithin(ctx.now, REPLACEMENT_LIFETIME, subject.expiresAt),
      },
      ancestors,
    ),
  postconditions: [tokenIsAppended('token.exchanged')],
})
