import { readJwt } from '../../crypto/jwt.ts'
import { isUuid, type RawToken, signingKeyId } from '../../domain/ids.ts'
import type { FlowContext } from '../context.ts'

/** By so much the clocks of instances may differ. */
const CLOCK_TOLERANCE_MS = 60_000

/**
 * RFC 9068 §4: a presented value that is a JWT of this service and may be good
 * still; what became of it is for its row to say. Anything else is `null`, and is
 * looked up nowhere; a key that was not met before is, once.
 */
export async function readPresentedJwt(ctx: FlowContext, presented: string): Promise<RawToken | null> {
  const jwt = readJwt(presented)
  if (jwt === null) return null
  const { signingKeys } = ctx.services
  if (!signingKeys.knows(jwt.keyId)) {
    const key = isUuid(jwt.keyId) ? await ctx.stores.signingKeys.find(ctx, signingKeyId(jwt.keyId)) : null
    if (key === null) return null
    signingKeys.learn(key)
  }
  const claims = await signingKeys.claimsOf(jwt)
  return claims !== null && mayBeGood(claims, ctx) ? jwt.value : null
}

/**
 * RFC 7519 §4.1: whose it is, and since when it counts. Its end is in its row, so
 * that one that has expired is treated like an opaque one.
 */
function mayBeGood(claims: Readonly<Record<string, unknown>>, { now, services }: FlowContext): boolean {
  const { iss, exp, iat, nbf = 0 } = claims
  const isPast = (time: unknown) => typeof time === 'number' && time * 1_000 <= now + CLOCK_TOLERANCE_MS
  return iss === services.issuer && typeof exp === 'number' && isPast(iat) && isPast(nbf)
}
