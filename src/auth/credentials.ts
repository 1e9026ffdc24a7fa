/** The credentials that a client presents with its id (RFC 6749 §2.3). A certificate belongs to the connection. */
export type ClientProof =
  | { readonly kind: 'none' }
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'assertion'; readonly assertion: string }

/** The credentials of a call. */
export type Credentials =
  | { readonly kind: 'none' }
  /** Credentials were present but could not be parsed. */
  | { readonly kind: 'malformed' }
  | { readonly kind: 'client'; readonly clientId: string; readonly proof: ClientProof }
  | { readonly kind: 'bearer'; readonly token: string }
