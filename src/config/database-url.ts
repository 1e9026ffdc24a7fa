/** Which database, as far as configuration must know. */
export interface DatabaseTarget {
  /** As given; may contain a password. */
  readonly url: string
  /** In this process, without a server. */
  readonly embedded: boolean
  /** The path of an embedded database file; `null` for one in memory or on a server. */
  readonly file: string | null
}

const SQLITE = /^sqlite:(?:\/\/)?([^?]+)(?:\?.*)?$/
const SERVERS: ReadonlySet<string> = new Set(['mysql:', 'mariadb:'])

/** Reads a database URL; `null` if it is none that QScope knows. */
export function parseDatabaseUrl(url: string): DatabaseTarget | null {
  const [, path] = SQLITE.exec(url) ?? []
  if (path !== undefined) return { url, embedded: true, file: path === ':memory:' ? null : path }
  const parsed = URL.parse(url)
  const usable = parsed !== null && SERVERS.has(parsed.protocol) && parsed.hostname !== '' && parsed.pathname.length > 1
  return usable ? { url, embedded: false, file: null } : null
}

/** The same URL fit to be shown: passwords and parameters that look like secrets are masked. */
export function maskUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#]*?):[^/?#]*@/i, '$1:***@')
    .replace(/([?&][^=&]*(?:password|passwd|secret|token|key)[^=&]*=)[^&]*/gi, '$1***')
}
