import { type CryptoKey, type KeyObject, SignJWT } from 'jose'
import type { ClientProof } from './client-proof.ts'

/** QScope takes assertions for up to 5 minutes; one is used within seconds. */
const LIFETIME_SECONDS = 60

/** The key of a client that is registered for `private_key_jwt`. */
export interface PrivateKey {
  readonly clientId: string
  /** The issuer of QScope, to the letter: the assertion is for nobody else. */
  readonly issuer: string
  readonly key: CryptoKey | KeyObject
  readonly algorithm: 'RS256' | 'PS256' | 'ES256' | 'EdDSA'
  /** Which of the client's registered keys it is. */
  readonly keyId: string
}

/** Proves a client by its private key (RFC 7523 §2.2): each call gets an assertion of its own, which works once. */
export function privateKeyJwt({ clientId, issuer, key, algorithm, keyId }: PrivateKey): ClientProof {
  return {
    clientId,
    clientAssertion: () =>
      new SignJWT()
        .setProtectedHeader({ alg: algorithm, kid: keyId })
        .setIssuer(clientId)
        .setSubject(clientId)
        .setAudience(issuer)
        .setJti(crypto.randomUUID())
        .setIssuedAt()
        .setExpirationTime(`${LIFETIME_SECONDS}s`)
        .sign(key),
  }
}
