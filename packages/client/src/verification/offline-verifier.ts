import { errors, type JWTPayload, jwtVerify } from 'jose'
import { abortable } from '../abortable.ts'
import type { KeySet } from './key-set.ts'
import { LONGEST_TOKEN, type PresentedToken, type TokenVerifier } from './token-verifier.ts'
import type { VerifiedToken } from './verified-token.ts'

/** RFC 9068 §2.2. */
const REQUIRED = ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti']
/** What QScope signs with; the key set pins each key to one of them. */
const ALGORITHMS = ['ES256', 'EdDSA', 'RS256']

/** Whose tokens are taken, and for whom they have to be. */
export interface OfflineVerifierOptions {
  readonly keys: KeySet
  /** QScope's issuer, to the letter. */
  readonly issuer: string
  /** One of these must be in the token's audience (RFC 9068 §4). */
  readonly audience: string | readonly string[]
  /** How far the clocks of QScope and this machine may be apart, seconds; 0 unless given. */
  readonly clockToleranceSeconds?: number | undefined
}

/**
 * Verifies JWT access tokens (RFC 9068 §4) by QScope's keys, without asking it.
 * Such a check cannot see a revocation: a revoked token is taken until it
 * expires, and a revoked key until the key set at hand is too old. Opaque
 * tokens are not good here.
 */
export function offlineVerifier(options: OfflineVerifierOptions): TokenVerifier {
  const { keys, issuer, audience, clockToleranceSeconds = 0 } = options
  const expected = {
    issuer,
    audience: typeof audience === 'string' ? audience : [...audience],
    typ: 'at+jwt',
    algorithms: ALGORITHMS,
    requiredClaims: REQUIRED,
    clockTolerance: clockToleranceSeconds,
  }

  async function judge({ value, certificate }: PresentedToken): Promise<VerifiedToken | null> {
    try {
      const { payload } = await jwtVerify(value, keys, expected)
      const token = tokenOf(payload)
      return token !== null && isHeldBy(payload, certificate) ? token : null
    } catch (error) {
      // Everything that jose finds wrong with a token; keys that cannot be fetched are another error.
      if (error instanceof errors.JOSEError) return null
      throw error
    }
  }

  return {
    async verify(presented) {
      presented.signal?.throwIfAborted()
      if (presented.value.length > LONGEST_TOKEN) return null
      return await abortable(judge(presented), presented.signal)
    },
  }
}

/** RFC 8705 §3.1; a binding of a kind that cannot be judged here (RFC 7800 §3.1) is not held by anybody. */
function isHeldBy({ cnf }: JWTPayload, certificate: string | null): boolean {
  if (cnf === undefined) return true
  return certificate !== null && thumbprintIn(cnf) === certificate
}

function thumbprintIn(cnf: unknown): string | null {
  if (typeof cnf !== 'object' || cnf === null || Object.keys(cnf).length !== 1) return null
  const thumbprint: unknown = Reflect.get(cnf, 'x5t#S256')
  return typeof thumbprint === 'string' ? thumbprint : null
}

/** `null` where a claim is not what RFC 9068 §2.2 says. */
function tokenOf(payload: JWTPayload): VerifiedToken | null {
  const { jti, sub, iss, aud, iat, exp, client_id: clientId, scope = '', act, cnf } = payload
  if (typeof jti !== 'string' || typeof sub !== 'string' || typeof iss !== 'string') return null
  if (typeof clientId !== 'string' || typeof scope !== 'string') return null
  if (typeof iat !== 'number' || typeof exp !== 'number' || aud === undefined) return null
  return Object.freeze({
    tokenId: jti,
    clientId,
    subject: sub,
    // QScope gives no client an id that could be a user's.
    subjectType: sub === clientId ? 'client' : 'user',
    scopes: Object.freeze(scope === '' ? [] : scope.split(' ')),
    audiences: Object.freeze([aud].flat()),
    issuer: iss,
    issueTime: new Date(iat * 1_000),
    expireTime: new Date(exp * 1_000),
    actors: Object.freeze(actorsOf(act)),
    certificate: cnf === undefined ? null : thumbprintIn(cnf),
  })
}

function actorsOf(act: unknown): string[] {
  if (typeof act !== 'object' || act === null) return []
  const sub: unknown = Reflect.get(act, 'sub')
  return typeof sub === 'string' ? [sub, ...actorsOf(Reflect.get(act, 'act'))] : []
}
