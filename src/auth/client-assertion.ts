import { BoundedMap } from '../bounded-map.ts'
import { type AssertionClaims, isOnlyFor, readAssertion, verifyAssertion } from '../crypto/assertion.ts'
import { CLIENT_KEYS, readKeySet, type VerificationKey } from '../crypto/key-set.ts'
import type { Client } from '../domain/client.ts'
import { type EpochMs, milliseconds } from '../domain/ids.ts'
import { endOf, isTimely } from './assertion-times.ts'
import type { SingleUse } from './jti-replay-guard.ts'

/** Long enough to travel; a stolen one is of no use for longer. */
const LONGEST = milliseconds(300_000)
const KEPT_KEY_SETS = 256

/** Verifies the assertions by which clients prove themselves (RFC 7523 §2.2). */
export class ClientAssertions {
  readonly #issuer: string
  /** Key sets by their text: the same text is the same keys, so none of them gets stale. */
  readonly #keySets = new BoundedMap<string, readonly VerificationKey[]>(KEPT_KEY_SETS)

  /** `issuer`: whom assertions must be meant for. */
  constructor(issuer: string) {
    this.#issuer = issuer
  }

  /**
   * RFC 7523 §3: an assertion by which a client proves itself, as of `now`;
   * `null`: it proves nothing. Whether it is new is for the caller to find out.
   */
  async verify(client: Client, text: string, now: EpochMs): Promise<SingleUse | null> {
    const assertion = readAssertion(text, 'client-authentication+jwt')
    if (assertion === null) return null
    const claims = await verifyAssertion(assertion, this.#keysOf(client))
    if (claims === null || !speaksFor(claims, client) || !isOnlyFor(claims, this.#issuer)) return null
    if (claims.jti === undefined || !isTimely(claims, now, LONGEST)) return null
    return { madeBy: { kind: 'client', name: client.clientId }, jti: claims.jti, expiresAt: endOf(claims) }
  }

  #keysOf({ jwks }: Client): readonly VerificationKey[] {
    if (jwks === null) return []
    let keys = this.#keySets.get(jwks)
    if (keys === undefined) {
      const read = readKeySet(jwks, CLIENT_KEYS)
      keys = read.ok ? read.keys : []
    }
    this.#keySets.set(jwks, keys)
    return keys
  }
}

/** RFC 7523 §3, items 1 and 2.B: the client is issuer and subject. */
function speaksFor({ iss, sub }: AssertionClaims, { clientId }: Client): boolean {
  return iss === clientId && sub === clientId
}
