/** What an access token says, once it is verified. */
export interface VerifiedToken {
  /** Its public handle, for logs and for `RevokeTokens`. */
  readonly tokenId: string
  /** The client it was issued to. */
  readonly clientId: string
  /** A user's id or, where a client speaks for itself, the client's. */
  readonly subject: string
  readonly subjectType: 'user' | 'client'
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly issuer: string
  readonly issueTime: Date
  readonly expireTime: Date
  /** Who acts for the subject, the latest first (RFC 8693 §4.1). */
  readonly actors: readonly string[]
  /** The thumbprint of the certificate it is bound to (`x5t#S256`); `null`: a plain bearer token. */
  readonly certificate: string | null
  /** Further claims, which the rule of a trusted issuer made of the assertion that the token was issued for; JSON. Empty: none. */
  readonly extra: Readonly<Record<string, unknown>>
}
