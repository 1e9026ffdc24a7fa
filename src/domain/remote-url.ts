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
