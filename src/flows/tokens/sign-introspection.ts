import { given } from '../condition.ts'
import { callerMayCheckTokens } from '../conditions/caller.ts'
import { serverSigns } from '../conditions/signing-key.ts'
import { defineFlow } from '../flow.ts'

interface Introspection {
  /** The answer in the form of RFC 7662 §2.2. */
  readonly answer: object
}

/**
 * RFC 9701 §5: the answer to an introspection as a JWT. It has neither `sub` nor `exp`, so that it cannot be mistaken
 * for an access token. It writes nothing, except a signing key if there is none yet.
 */
export const signIntrospection = defineFlow({
  name: 'signIntrospection',
  lane: 'transaction',
  preconditions: given<Introspection>().and(callerMayCheckTokens).and(serverSigns),
  skipWrite: () => true,
  run: async (ctx, { answer, viewer, signer }): Promise<string> =>
    await ctx.services.signingKeys.sign('token-introspection+jwt', signer, {
      iss: ctx.services.issuer,
      ...(viewer.kind === 'client' && { aud: viewer.client.clientId }),
      iat: Math.floor(ctx.now / 1_000),
      token_introspection: answer,
    }),
  postconditions: [],
})
