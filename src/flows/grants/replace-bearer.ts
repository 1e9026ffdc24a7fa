import { type AccessToken, MAX_ANCESTORS } from '../../domain/access-token.ts'
import type { Client } from '../../domain/client.ts'
import { expiryWithin } from '../../domain/expiry.ts'
import { milliseconds } from '../../domain/ids.ts'
import { fail, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { jwtIsNotTooLong } from '../conditions/access-token-length.ts'
import { withoutPermissions } from '../conditions/request.ts'
import { signerLasts } from '../conditions/signing-key.ts'
import { defineFlow, oneToken } from '../flow.ts'
import { drawTokenOf } from './issue-tokens.ts'
import { mintLimits } from './mint-limits.ts'
import { tokenIsAppended } from './store-tokens.ts'

/** How long a replacement lives at the most. */
export const REPLACEMENT_LIFETIME = milliseconds(60_000)

interface Replacement {
  /** Verified in the same call, for the audience. */
  readonly subject: AccessToken
  readonly audience: string
}

type Claims = { readonly client: Pick<Client, 'clientId'>; readonly scopes: readonly string[] }

/** As with an exchange: the chain of tokens ends somewhere, and permissions of this server never pass. */
const subjectMayBeReplaced = condition<Replacement, Claims>('subjectMayBeReplaced', (_ctx, { subject }) =>
  subject.ancestors.length >= MAX_ANCESTORS
    ? fail('oauth.invalid_token', { metadata: { token: 'presented' }, because: 'presented' })
    : success({ client: { clientId: subject.clientId }, scopes: withoutPermissions(subject.scopes) }),
)

/**
 * A proxy passes a request on with a JWT in the place of its bearer token: for one audience and a minute, of the same client
 * and subject, with the same actors and bound to the same certificate. It is exchanged from the bearer token, so what ends that one
 * ends it too.
 */
export const replaceBearer = defineFlow({
  name: 'replaceBearer',
  lane: 'append',
  issues: oneToken('token_exchange'),
  preconditions: given<Replacement>()
    .and(subjectMayBeReplaced)
    .and(signerLasts(REPLACEMENT_LIFETIME))
    .and(
      jwtIsNotTooLong(({ subject, audience, scopes }) => ({ scopes, audiences: [audience], actors: subject.actors })),
    ),
  reserve: mintLimits(),
  run: (ctx, { subject, audience, scopes, signer }) =>
    drawTokenOf(ctx, signer, 'at+jwt', {
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
      ancestors: [...subject.ancestors, subject.tokenId],
      expiresAt: expiryWithin(ctx.now, REPLACEMENT_LIFETIME, subject.expiresAt),
    }),
  postconditions: [tokenIsAppended('token.exchanged')],
})
