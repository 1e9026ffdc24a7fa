import { checkUrl } from '../url.ts'

/**
 * The problem of a document's URL that was set through the API. It completes the sentence "it …". `null`: none. Such a URL
 * must be https, without credentials and without a fragment. The addresses of its host are checked at connect time, because
 * names can change.
 */
export function remoteUrlProblem(text: string): string | null {
  const checked = checkUrl(text, { query: true })
  if (!checked.ok) return checked.problem
  return checked.url.protocol === 'https:' ? null : 'does not begin with https://'
}

/** Why the metadata of an issuer cannot be located (RFC 8414 §2). It completes the sentence "it …". `null`: it can. */
export function discoverableProblem(issuer: string): string | null {
  const problem = remoteUrlProblem(issuer) ?? (issuer.includes('?') ? 'has a query' : null)
  return problem === null ? null : `needs an issuer that is an https URL without query: it ${problem}`
}
