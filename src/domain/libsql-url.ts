/** A database of libSQL on a server, as its URL names it: `libsql://host`, `https://host` or `http://host`. */
export interface LibsqlUrl {
  /** In plaintext, which only `http://` asks for. */
  readonly plaintext: boolean
  /** Without brackets. */
  readonly host: string
  /** Of the server's HTTP interface: `https://host` or `http://host`, with port and path where there are any. */
  readonly base: string
  /** The names behind the question mark. */
  readonly parameters: readonly string[]
}

/** Scheme; host and port; path; query. A user or a token has no place in it. */
const REMOTE = /^(libsql|https?):\/\/((?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?)((?:\/[\w.~-]+)*\/?)(?:\?([^\s#]*))?$/i

/** Reads the URL of a database of libSQL on a server; `null` if it is none. `libsql:` without two slashes names a file. */
export function parseLibsqlUrl(text: string): LibsqlUrl | null {
  const [, scheme = '', authority = '', path = '', query = ''] = REMOTE.exec(text) ?? []
  const plaintext = scheme.toLowerCase() === 'http'
  // Without a slash at its end, the last part of a path would be replaced instead of continued.
  const base = `${plaintext ? 'http' : 'https'}://${authority}${path.replace(/\/?$/, '/')}`
  if (scheme === '' || !URL.canParse(base)) return null
  const host = new URL(base).hostname.replace(/^\[(.*)\]$/, '$1')
  return { plaintext, host, base, parameters: [...new URLSearchParams(query).keys()] }
}
