import { type JwtType, readJwt } from '../crypto/jwt.ts'
import type { SigningKeys } from '../crypto/signing-keys.ts'
import { hashToken, readToken } from '../crypto/token.ts'
import { type AccessToken, type AccessTokenStatus, isActive, whyInactive } from '../domain/access-token.ts'
import { type EpochMs, isUuid, type RawToken, signingKeyId, type TokenId } from '../domain/ids.ts'
import type { ReadStores } from '../stores/contract/backend.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import type { TokenRefusal } from './token-refusal.ts'

/** The maximum clock difference between instances. */
const CLOCK_TOLERANCE_MS = 60_000
const NOT_FOUND = Promise.resolve(null)

export interface AccessTokenVerifierOptions {
  readonly reads: Pick<ReadStores, 'accessTokens' | 'signingKeys'>
  readonly signingKeys: SigningKeys
  /** The `iss` of the JWTs that this service issues. */
  readonly issuer: string
}

/** Whether an access token is accepted. */
export interface Acceptance {
  /** The reason for a refusal, for the server log. `null`: the token is accepted. */
  readonly refusal: TokenRefusal | null
  /** The tokens it was exchanged from. Empty if it is not accepted. */
  readonly ancestors: readonly AccessToken[]
}

/** A JWT that this service issued. */
interface ReadToken {
  readonly value: RawToken
  readonly claims: Readonly<Record<string, unknown>>
}

export interface FoundTransactionToken extends Pick<ReadToken, 'claims'> {
  readonly status: AccessTokenStatus
}

const NO_ANCESTORS: readonly AccessToken[] = Object.freeze([])
const ACCEPTED: Acceptance = Object.freeze({ refusal: null, ancestors: NO_ANCESTORS })

/** Finds the access token for a presented value, opaque or a JWT, and decides whether it is accepted. */
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
   * Finds the access token for a presented value, in either format, whatever format its client gets now. A value that
   * cannot be one of our tokens costs no query. `read`: the parsed value, if it was parsed before.
   */
  find(ctx: StoreContext, presented: string, read = readToken(presented)): Promise<AccessTokenStatus | null> {
    if (read === null) return this.#findJwt(ctx, presented)
    if (read.kind !== 'access') return NOT_FOUND
    return this.#reads.accessTokens.findByHash(ctx, hashToken(read.token))
  }

  /**
   * An access token is accepted while it and every token it was exchanged from are active (RFC 8693 §1.2, delegation).
   */
  async isAccepted(ctx: StoreContext, status: AccessTokenStatus): Promise<boolean> {
    return (await this.whyNotAccepted(ctx, status)) === null
  }

  /** The reason why an access token is refused, for the server log. `null`: it is accepted. */
  async whyNotAccepted(ctx: StoreContext, status: AccessTokenStatus): Promise<TokenRefusal | null> {
    return (await this.evaluate(ctx, status)).refusal
  }

  /**
   * Returns the decision and the tokens that this token depends on. Returns a promise only if these must be looked up.
   */
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

  /** Finds the transaction token for a presented value, and its claims. An access token is never one. */
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
   * RFC 9068 §4: parses a presented JWT of this service and type that may be valid. Its row holds its current status.
   * Any other value gives `null` without a look-up. An unknown key is looked up once.
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
 * RFC 7519 §4.1: checks the issuer and the start of validity. The expiry is in the row, so an expired JWT is treated
 * like an expired opaque token.
 */
function mayBeGood(claims: Readonly<Record<string, unknown>>, issuer: string, now: EpochMs): boolean {
  const { iss, exp, iat, nbf = 0 } = claims
  const isPast = (time: unknown) => typeof time === 'number' && time * 1_000 <= now + CLOCK_TOLERANCE_MS
  return iss === issuer && typeof exp === 'number' && isPast(iat) && isPast(nbf)
}
