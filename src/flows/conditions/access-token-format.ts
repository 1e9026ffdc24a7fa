import { LONGEST_JWT } from '../../crypto/jwt.ts'
import type { Client } from '../../domain/client.ts'
import type { SigningKey } from '../../domain/signing-key.ts'
import { HOLDS, invalidRequest, success } from '../../results.ts'
import { condition, type Decision } from '../condition.ts'
import { refuseUntilActive, refuseUntilCovered } from '../keys/first-signing-key.ts'

/** What access tokens are signed with; `null`: they are opaque. */
export type Signing = { readonly signer: SigningKey | null }

/** RFC 9068 §2.1: for a client of JWTs there is a key that signs, read for this call, which will outlast what it signs. */
export const signerIsReady = condition<{ readonly client: Client }, Signing>(
  'signerIsReady',
  async (ctx, { client: { config } }): Promise<Decision<Signing>> => {
    if (config.accessTokenFormat === 'opaque') return success({ signer: null })
    const { signingAlgorithm } = ctx.services
    const signer = await ctx.stores.signingKeys.findActive(ctx, signingAlgorithm)
    if (signer === null) return await refuseUntilActive(ctx, signingAlgorithm)
    if (signer.longestLifetime < config.accessTokenTtl) return refuseUntilCovered(signer, config.accessTokenTtl)
    return success({ signer })
  },
)

/** What makes a token long. */
interface Content {
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly actors?: readonly string[]
}

/** Header, signature and the claims of bounded length: ids, times, a thumbprint. */
const FIXED_BYTES = 1_200
const ACTOR_BYTES = 20

/**
 * Nothing is issued that no check would look at, or no header would carry; and
 * nothing is consented to of which no such token could be made. A consent is
 * judged by the format that the client has then.
 */
export function tokenIsNotTooLong<Facts extends { readonly client: Client }>(contentOf: (facts: Facts) => Content) {
  return condition<Facts>('tokenIsNotTooLong', (ctx, facts) => {
    if (facts.client.config.accessTokenFormat === 'opaque') return HOLDS
    const { scopes, audiences, actors = [] } = contentOf(facts)
    const claims = JSON.stringify([ctx.services.issuer, ctx.services.issuer, scopes.join(' '), audiences, actors])
    const bytes = FIXED_BYTES + Math.ceil(((claims.length + actors.length * ACTOR_BYTES) * 4) / 3)
    if (bytes <= LONGEST_JWT) return HOLDS
    const description = `make a JWT of more than ${LONGEST_JWT} characters; ask for fewer scopes or audiences`
    return invalidRequest('scopes', description)
  })
}
