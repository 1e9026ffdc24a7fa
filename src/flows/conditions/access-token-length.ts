import { LONGEST_JWT } from '../../crypto/jwt.ts'
import type { Client } from '../../domain/client.ts'
import { MOST_FACTS_OF_TOKEN } from '../../domain/revocation.ts'
import { HOLDS, invalidRequest, type Result } from '../../results.ts'
import { condition } from '../condition.ts'
import type { FlowContext } from '../context.ts'

/** The parts of a token that determine its length. */
interface Content {
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly actors?: readonly string[]
  /** The tokens it is exchanged from. Everything that can revoke one of them can revoke this one. */
  readonly ancestors?: readonly unknown[]
  /** Claims from the rule of a trusted issuer. */
  readonly extra?: object | null
  /** Further claims. */
  readonly more?: object
}

/** Header, signature and the claims of bounded length: ids, times, a thumbprint. */
const FIXED_BYTES = 1_200
const ACTOR_BYTES = 20
/** A revocation key in base64url, with its quotes and comma. */
const REVOCATION_KEY_LENGTH = 25

/**
 * Prevents tokens that no check would accept or no header could carry, and consents for which no valid token could be
 * issued. A consent is evaluated with the client's current token format.
 */
export function tokenIsNotTooLong<Facts extends { readonly client: Client }>(contentOf: (facts: Facts) => Content) {
  return condition<Facts>('tokenIsNotTooLong', (ctx, facts) =>
    facts.client.config.accessTokenFormat === 'opaque' ? HOLDS : evaluateLength(ctx, contentOf(facts)),
  )
}

/** The same check for a token that is a JWT in any case, whatever format its client gets. */
export function jwtIsNotTooLong<Facts extends object>(contentOf: (facts: Facts) => Content) {
  return condition<Facts>('jwtIsNotTooLong', (ctx, facts) => evaluateLength(ctx, contentOf(facts)))
}

function evaluateLength(
  ctx: FlowContext,
  { scopes, audiences, actors = [], ancestors = [], extra = null, more = {} }: Content,
): Result<object> {
  const revocationKeys = (1 + ancestors.length) * MOST_FACTS_OF_TOKEN * REVOCATION_KEY_LENGTH
  const claims = JSON.stringify([
    ctx.services.issuer,
    ctx.services.issuer,
    scopes.join(' '),
    audiences,
    actors,
    extra,
    more,
  ])
  const bytes =
    FIXED_BYTES + Math.ceil(((Buffer.byteLength(claims) + actors.length * ACTOR_BYTES + revocationKeys) * 4) / 3)
  if (bytes <= LONGEST_JWT) return HOLDS
  const description = `would make a JWT of more than ${LONGEST_JWT} characters; request fewer scopes or audiences`
  return invalidRequest('scopes', description)
}
