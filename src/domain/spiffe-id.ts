/** A parsed SPIFFE ID (SPIFFE-ID §2). */
export interface SpiffeId {
  readonly trustDomain: string
  /** Starts with a slash. Empty for the trust domain itself, which is not a workload. */
  readonly path: string
}

/** In bytes (§2.3). */
const LONGEST = 2_048
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/
const ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)*)$/

export function isTrustDomain(text: string): boolean {
  return TRUST_DOMAIN.test(text)
}

/** Parses a SPIFFE ID, which has only one valid spelling. `null`: the text is not one. */
export function parseSpiffeId(text: string): SpiffeId | null {
  const [, trustDomain, path = ''] = (text.length <= LONGEST && ID.exec(text)) || []
  if (trustDomain === undefined) return null
  // §2.2: relative segments are not allowed.
  return /\/\.{1,2}(?:\/|$)/.test(path) ? null : { trustDomain, path }
}

/** Whether a text is the SPIFFE ID of a workload. */
export function isWorkloadId(text: string): boolean {
  const id = parseSpiffeId(text)
  return id !== null && id.path !== ''
}
