import { type JwtType, readJwt } from '../crypto/jwt.ts'
import type { SigningKeys } from '../crypto/signing-keys.ts'
import { hashToken, readToken } from '../crypto/token.ts'
import { type AccessToken, type AccessTokenStatus, isActive, whyInactive } from '../domain/access-token.ts'
import { type EpochMs, isUuid, type RawToken, signingKeyId, type TokenId } from '../domain/ids.ts'
import type { ReadStores } from '../stores/contract/backend.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import type { TokenRefusal } from './token-refusal.ts'

/** By so much the clocks of instances may differ. */
const CLOCK_TOLERANCE_MS = 60_000
const NOT_FOUND = Promise.resolve(null)

export interface AccessTokenVerifierOptions {
  readonly reads: Pick<ReadStores, 'accessTokens' | 'signingKeys'>
  readonly signingKeys: SigningKeys
  /** `iss` of the JWTs that this service issued. */
  readonly issuer: string
}

/** Whether an access token counts. */
export interface Acceptance {
  /** Why not, for the log of the server; `null`: it does. */
  readonly refusal: TokenRefusal | null
  /** Those it was exchanged from; none where it does not count. */
  readonly ancestors: readonly AccessToken[]
}

/** A JWT of this service. */
interface ReadToken {
  readonly value: RawToken
  readonly claims: Readonly<Record<string, unknown>>
}

export interface FoundTransactionToken extends Pick<ReadToken, 'claims'> {
  readonly status: AccessTokenStatus
}

const NO_ANCESTORS: readonly AccessToken[] = Object.freeze([])
const ACCEPTED: Acceptance = Object.freeze({ refusal: null, ancestors: NO_ANCESTORS })

/** Finds access tokens by what a caller presents, opaque or a JWT, and says whether they count. */
export class AccessTokenVerifier {
  readonly #reads: AccessTokenVerifierOptions['reads']
  readonly #signingKeys: SigningKeys
  readonly #issuer: string

  constructor({ reads, signingKeys, issuer }: AccessTokenVerifierOptions) {
    this.#reads = reads
    this.#signingKeys = signingKeys
    this.#issuer = issuer
  }

  /**
   * The access token that a presented value is, in whichever format its client
   * gets tokens now; what cannot be one of ours costs no query. `read`: the
   * value, if it was read before.
   */
  find(ctx: StoreContext, presented: string, read = readToken(presented)): Promise<AccessTokenStatus | null> {
    if (read === null) return this.#findJwt(ctx, presented)
    if (read.kind !== 'access') return NOT_FOUND
    return this.#reads.accessTokens.findByHash(ctx, hashToken(read.token))
  }

  /** An access token counts while it and every token it was exchanged from are active (RFC 8693 §1.2, delegation). */
  async isAccepted(ctx: StoreContext, status: AccessTokenStatus): Promise<boolean> {
    return (await this.whyNotAccepted(ctx, status)) === null
  }

  /** Why an access token does not count, for the log of the server; `null`: it does. */
  async whyNotAccepted(ctx: StoreContext, status: AccessTokenStatus): Promise<TokenRefusal | null> {
    return (await this.evaluate(ctx, status)).refusal
  }

  /** Both, and the tokens on which it depends. A promise only where these have to be looked up. */
  evaluate(ctx: StoreContext, status: AccessTokenStatus): Acceptance | Promise<Acceptance> {
    const refusal = whyInactive(status, ctx.now)
    const { ancestors } = status.token
    if (refusal !== null) return { refusal, ancestors: NO_ANCESTORS }
    return ancestors.length === 0 ? ACCEPTED : this.#evaluateAncestors(ctx, ancestors)
  }

  async #evaluateAncestors(ctx: StoreContext, ancestors: readonly TokenId[]): Promise<Acceptance> {
    const found = await Promise.all(ancestors.map((tokenId) => this.#reads.accessTokens.findById(ctx, tokenId)))
    const active = found.flatMap((each) => (each !== null && isActive(each, ctx.now) ? [each.token] : []))
    return active.length === ancestors.length
      ? { refusal: null, ancestors: active }
      : { refusal: 'ancestor_inactive', ancestors: NO_ANCESTORS }
  }

  /** The transaction token that a presented value is, and what it says. No access token is one. */
  async findTransactionToken(ctx: StoreContext, presented: string): Promise<FoundTransactionToken | null> {
    const read = await this.#readJwt(ctx, 'txntoken+jwt', presented)
    if (read === null) return null
    const status = await this.#reads.accessTokens.findByHash(ctx, hashToken(read.value))
    return status === null ? null : { status, claims: read.claims }
  }

  async #findJwt(ctx: StoreContext, presented: string): Promise<AccessTokenStatus | null> {
    const read = await this.#readJwt(ctx, 'at+jwt', presented)
    return read === null ? null : await this.#reads.accessTokens.findByHash(ctx, hashToken(read.value))
  }

  /**
   * RFC 9068 §4: a presented value that is a JWT of this service and type, and may be good
   * still; what became of it is for its row to say. Anything else is `null`, and is
   * looked up nowhere; a key that was not met before is, once.
   */
  async #readJwt(ctx: StoreContext, type: JwtType, presented: string): Promise<ReadToken | null> {
    const jwt = readJwt(presented)
    if (jwt === null) return null
    if (!this.#signingKeys.knows(jwt.keyId)) {
      const key = isUuid(jwt.keyId) ? await this.#reads.signingKeys.find(ctx, signingKeyId(jwt.keyId)) : null
      if (key === null) return null
      this.#signingKeys.learn(key)
    }
    const claims = await this.#signingKeys.claimsOf(type, jwt)
    return claims !== null && mayBeGood(claims, this.#issuer, ctx.now) ? { value: jwt.value, claims } : null
  }
}

/**
 * RFC 7519 §4.1: whose it is, and since when it counts. Its end is in its row, so
 * that one that has expired is treated like an opaque one.
 */
function mayBeGood(claims: Readonly<Record<string, unknown>>, issuer: string, now: EpochMs): boolean {
  const { iss, exp, iat, nbf = 0 } = claims
  const isPast = (time: unknown) => typeof time === 'number' && time * 1_000 <= now + CLOCK_TOLERANCE_MS
  return iss === issuer && typeof exp === 'number' && isPast(iat) && isPast(nbf)
}
