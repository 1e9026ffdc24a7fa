import { checkUrl } from '../url.ts'

/**
 * What is wrong with the URL of a document that is set through the API, as it completes the sentence
 * "it …"; `null`: nothing. Such a URL is https, and has no credentials and no fragment. Which
 * addresses its host may have is judged when it is connected to, since names change.
 */
export function remoteUrlProblem(text: string): string | null {
  const checked = checkUrl(text, { query: true })
  if (!checked.ok) return checked.problem
  return checked.url.protocol === 'https:' ? null : 'begins with something else than https://'
}

/** What keeps the metadata of an issuer from being looked for (RFC 8414 §2), completing the sentence "it …"; `null`: nothing. */
export function discoverableProblem(issuer: string): string | null {
  const problem = remoteUrlProblem(issuer) ?? (issuer.includes('?') ? 'has a query' : null)
  return problem === null ? null : `needs an issuer that is an https URL without query: it ${problem}`
}
