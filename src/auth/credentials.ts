/** What a client shows beside its id (RFC 6749 §2.3); a certificate came with the connection. */
export type ClientProof =
  | { readonly kind: 'none' }
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'assertion'; readonly assertion: string }

/** What came with a call to prove the caller. */
export type Credentials =
  | { readonly kind: 'none' }
  /** Something was there that nobody can read. */
  | { readonly kind: 'malformed' }
  | { readonly kind: 'client'; readonly clientId: string; readonly proof: ClientProof }
  | { readonly kind: 'bearer'; readonly token: string }
