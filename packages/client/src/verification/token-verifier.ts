import type { VerifiedToken } from './verified-token.ts'

/** A token that was handed to a server, and how. */
export interface PresentedToken {
  readonly value: string
  /** The thumbprint of the certificate that its bearer showed in the TLS handshake; `null`: none. */
  readonly certificate: string | null
  readonly signal?: AbortSignal | undefined
}

/** Judges access tokens: `onlineVerifier` or `offlineVerifier`. */
export interface TokenVerifier {
  /**
   * What the token says, or `null` if it is not good: unknown, expired, revoked,
   * for another audience, or bound to a certificate that was not shown. Why not
   * is for nobody to know.
   *
   * @throws when it cannot be told, such as a `QScopeError` when QScope is away.
   */
  verify(presented: PresentedToken): Promise<VerifiedToken | null>
}

/** QScope's bound; what is longer was not issued by it. */
export const LONGEST_TOKEN = 8_192
