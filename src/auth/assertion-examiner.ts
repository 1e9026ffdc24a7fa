import { isDeepStrictEqual } from 'node:util'
import {
  type AssertionClaims,
  endOf,
  isOnlyFor,
  isTimely,
  isTypedAsSvid,
  isTypedFor,
  type UnverifiedAssertion,
  verifyAssertion,
} from '../crypto/assertion.ts'
import { type EpochMs, type Milliseconds, milliseconds } from '../domain/ids.ts'
import { parseSpiffeId } from '../domain/spiffe-id.ts'
import { spiffeIssuer, type TrustedIssuer } from '../domain/trusted-issuer.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import type { SingleUse } from './jti-replay-guard.ts'
import type { FoundKeys } from './key-sources.ts'
import type { KnownIssuer, TrustedIssuers } from './trusted-issuers.ts'

/** The purpose for which an assertion of a trusted issuer is presented (RFC 7523 §2.1, §2.2). */
export type AssertionUse = 'authorization_grant' | 'client_authentication'

/** The checks of an assertion, in this order. */
export const ASSERTION_CLAIMS = Object.freeze([
  'assertion_is_readable',
  'issuer_is_trusted',
  'header_is_allowed',
  'issuer_keys_are_available',
  'signature_is_genuine',
  'audience_is_this_server',
  'assertion_is_timely',
  'lifetime_is_allowed',
  'assertion_id_is_present',
] as const)
export type AssertionClaim = (typeof ASSERTION_CLAIMS)[number]

/** The known facts about an assertion that failed, and the first check that failed. */
interface Refuted {
  readonly failed: AssertionClaim
  readonly assertion: UnverifiedAssertion | null
  readonly issuer: KnownIssuer | null
  readonly keys: FoundKeys | null
  /** The claims that the issuer signed. `null`: no signature was verified. */
  readonly claims: AssertionClaims | null
}

/** A valid assertion for this server. The caller checks whether it was used before. */
export interface GoodAssertion {
  readonly failed: null
  readonly assertion: UnverifiedAssertion
  readonly issuer: KnownIssuer
  readonly keys: FoundKeys
  readonly claims: AssertionClaims
}

export type Examination = Refuted | GoodAssertion

/** The maximum lifetime of an assertion that authenticates a client. */
export const LONGEST_PROOF = milliseconds(3_600_000)
const SECOND = 1_000

interface ExaminerOptions {
  readonly trustedIssuers: Pick<TrustedIssuers, 'find'>
  /** The issuer name of this server. Its own tokens are not accepted as assertions here. */
  readonly issuer: string
}

/** Verifies the assertions of trusted issuers (RFC 7523 §3, SPIFFE JWT-SVID). */
export class AssertionExaminer {
  readonly #trustedIssuers: ExaminerOptions['trustedIssuers']
  readonly #ownIssuer: string

  constructor({ trustedIssuers, issuer }: ExaminerOptions) {
    this.#trustedIssuers = trustedIssuers
    this.#ownIssuer = issuer
  }

  /**
   * Verifies an assertion as of `now`, in the same way for every client. `null` stands for a text that `readAssertion`
   * cannot parse. It does not mark the assertion as used. Throws `StoreError`.
   */
  async examine(
    ctx: StoreContext,
    assertion: UnverifiedAssertion | null,
    use: AssertionUse,
    now: EpochMs,
  ): Promise<Examination> {
    const none = { assertion, issuer: null, keys: null, claims: null }
    if (assertion === null) return { ...none, failed: 'assertion_is_readable' }
    const issuer = await this.#issuerOf(ctx, assertion)
    if (issuer === null) return { ...none, failed: 'issuer_is_trusted' }
    const { terms } = issuer
    if (!isHeaderAllowed(assertion, terms, use)) return { ...none, issuer, failed: 'header_is_allowed' }
    const keys = await this.#keysOf(ctx, issuer, assertion)
    if (!keys.ok) return { ...none, issuer, keys, failed: 'issuer_keys_are_available' }
    const claims = await verifyAssertion(assertion, keys.keys)
    if (claims === null) return { ...none, issuer, keys, failed: 'signature_is_genuine' }
    const failed = this.#failedClaim(claims, terms, use, now)
    return { failed, assertion, issuer, keys, claims }
  }

  /** The audience that an assertion of this issuer must have. */
  audienceOf({ audience }: Pick<TrustedIssuer, 'audience'>, use: AssertionUse): string {
    return use === 'authorization_grant' && audience !== null ? audience : this.#ownIssuer
  }

  /**
   * The keys are unavailable if the issuer was changed while they were fetched: its host decides how long that takes, so
   * it could delay the end of a stolen key.
   */
  async #keysOf(ctx: StoreContext, issuer: KnownIssuer, assertion: UnverifiedAssertion): Promise<FoundKeys> {
    const keys = await issuer.keysFor(assertion)
    if (!keys.ok || !keys.waited) return keys
    const current = await this.#issuerOf(ctx, assertion)
    if (isDeepStrictEqual(current?.terms, issuer.terms)) return keys
    return { ok: false, problem: 'the issuer was changed while its keys were fetched' }
  }

  /**
   * The subject of a JWT-SVID determines its trust domain, whatever its `iss` is (SPIFFE JWT-SVID §3). Tokens that this
   * server signs, identity tokens included, authenticate no client here.
   */
  async #issuerOf(ctx: StoreContext, { claimed: { iss, sub } }: UnverifiedAssertion): Promise<KnownIssuer | null> {
    const id = parseSpiffeId(sub)
    const ofDomain =
      id === null || id.path === '' ? null : await this.#trustedIssuers.find(ctx, spiffeIssuer(id.trustDomain))
    if (ofDomain !== null) return ofDomain
    const named = iss === undefined || iss === this.#ownIssuer ? null : await this.#trustedIssuers.find(ctx, iss)
    // A trust domain is authoritative only for its own subjects.
    return named?.terms.kind === 'jwt' ? named : null
  }

  #failedClaim(claims: AssertionClaims, terms: TrustedIssuer, use: AssertionUse, now: EpochMs): AssertionClaim | null {
    if (!isOnlyFor(claims, this.audienceOf(terms, use))) return 'audience_is_this_server'
    const longest: Milliseconds = use === 'authorization_grant' ? terms.maxLifetime : LONGEST_PROOF
    if (!isTimely(claims, now, longest)) return 'assertion_is_timely'
    if (use === 'client_authentication' && !isShortLived(claims)) return 'lifetime_is_allowed'
    return terms.singleUse && claims.jti === undefined ? 'assertion_id_is_present' : null
  }
}

/** The single-use id of an assertion. `null`: it may be presented again until it expires. */
export function singleUseOf({ issuer, claims }: Pick<GoodAssertion, 'issuer' | 'claims'>): SingleUse | null {
  const { issuer: name, singleUse } = issuer.terms
  if (!singleUse || claims.jti === undefined) return null
  return { madeBy: { kind: 'issuer', name }, jti: claims.jti, expiresAt: endOf(claims) }
}

function isHeaderAllowed(assertion: UnverifiedAssertion, { kind }: TrustedIssuer, use: AssertionUse): boolean {
  if (kind === 'spiffe') return isTypedAsSvid(assertion)
  return isTypedFor(assertion, use === 'authorization_grant' ? 'authorization-grant+jwt' : 'client-authentication+jwt')
}

/** It has an issue time and expires soon after it. This bounds the use of a stolen assertion. */
function isShortLived({ iat, exp }: AssertionClaims): boolean {
  return iat !== undefined && (exp - iat) * SECOND <= LONGEST_PROOF
}
