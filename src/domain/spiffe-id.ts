/** Whose identity a SPIFFE ID is (SPIFFE-ID §2). */
export interface SpiffeId {
  readonly trustDomain: string
  /** Begins with a slash; empty for the trust domain itself, which is no workload. */
  readonly path: string
}

/** In bytes (§2.3). */
const LONGEST = 2_048
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/
const ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)*)$/

export function isTrustDomain(text: string): boolean {
  return TRUST_DOMAIN.test(text)
}

/** Reads a SPIFFE ID, of which only one spelling is valid; `null` if it is none. */
export function parseSpiffeId(text: string): SpiffeId | null {
  const [, trustDomain, path = ''] = (text.length <= LONGEST && ID.exec(text)) || []
  if (trustDomain === undefined) return null
  // §2.2: no segment is relative to another.
  return /\/\.{1,2}(?:\/|$)/.test(path) ? null : { trustDomain, path }
}
