/** The URL of a libSQL database on a server: `libsql://host`, `https://host` or `http://host`. */
export interface LibsqlUrl {
  /** `true` only for `http://`. */
  readonly plaintext: boolean
  /** Without brackets. */
  readonly host: string
  /** The server's HTTP interface: `https://host` or `http://host`, with port and path if given. */
  readonly base: string
  /** The names in the query. */
  readonly parameters: readonly string[]
}

/** Scheme; host and port; path; query. No user and no token. */
const REMOTE = /^(libsql|https?):\/\/((?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?)((?:\/[\w.~-]+)*\/?)(?:\?([^\s#]*))?$/i

/** Parses the URL of a libSQL database on a server. `null`: the text is not one. `libsql:` without two slashes names a file. */
export function parseLibsqlUrl(text: string): LibsqlUrl | null {
  const [, scheme = '', authority = '', path = '', query = ''] = REMOTE.exec(text) ?? []
  const plaintext = scheme.toLowerCase() === 'http'
  // Without a slash at the end, a relative path would replace the last part of the path instead of continuing it.
  const base = `${plaintext ? 'http' : 'https'}://${authority}${path.replace(/\/?$/, '/')}`
  if (scheme === '' || !URL.canParse(base)) return null
  const host = new URL(base).hostname.replace(/^\[(.*)\]$/, '$1')
  return { plaintext, host, base, parameters: [...new URLSearchParams(query).keys()] }
}
