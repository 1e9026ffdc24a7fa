/** What a URL may have beside scheme, host, port and path. */
export interface UrlParts {
  readonly query: boolean
}

export type CheckedUrl =
  | { readonly ok: true; readonly url: URL }
  /** `problem` completes the sentence "it …". */
  | { readonly ok: false; readonly problem: string }

/** RFC 3986 §2: unreserved, reserved, and the percent sign. */
const URI_CHARACTER = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]*$/
const LONGEST = 2_048

/**
 * The one rule for URLs that are set, by the configuration or through the API. The written text is checked, and not what a
 * lenient parser makes of it: others compare it character by character (RFC 8414 §3.3).
 * So only one spelling of a URL is accepted, the one that every parser would write.
 */
export function checkUrl(text: string, { query }: UrlParts): CheckedUrl {
  const problem = problemOf(text, query)
  if (problem !== null) return { ok: false, problem }
  const url = URL.parse(text)
  if (url === null || url.hostname === '') return { ok: false, problem: 'is not a URL' }
  if (url.href !== text && url.href !== `${text}/`)
    return { ok: false, problem: `should be written ${spelled(url, text)}` }
  return { ok: true, url }
}

function problemOf(text: string, query: boolean): string | null {
  if (text.length > LONGEST) return `is longer than ${LONGEST} characters`
  if (/\s|\p{Cc}/u.test(text)) return 'contains white space or a control character'
  if (!URI_CHARACTER.test(text)) {
    const url = URL.parse(text)
    return `contains a character that is not allowed in URLs${url === null ? '' : `; it should be written ${spelled(url, text)}`}`
  }
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return 'contains a percent sign without two hexadecimal digits after it'
  const [, authority] = /^https?:\/\/([^/?#]*)/i.exec(text) ?? []
  if (authority === undefined) return 'does not begin with https:// or http://'
  if (authority.includes('@')) return 'contains credentials, which are not allowed here'
  if (text.includes('#')) return 'has a fragment'
  return !query && text.includes('?') ? 'has a query' : null
}

/** As parsers write it; they add a slash where a URL has no path. */
function spelled(url: URL, text: string): string {
  const bare = url.pathname === '/' && url.search === '' && url.hash === '' && !text.endsWith('/')
  return JSON.stringify(bare ? url.href.slice(0, -1) : url.href)
}

/** A URL with one more segment of its path, whether it ends with a slash or not. */
export function below(url: string, segment: string): string {
  return `${url}${url.endsWith('/') ? '' : '/'}${segment}`
}
