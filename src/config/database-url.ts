import { parseServerUrl } from '../domain/server-url.ts'

/** Which database, as far as configuration must know. */
export interface DatabaseTarget {
  /** As given; may contain a password. */
  readonly url: string
  /** In this process, without a server. */
  readonly embedded: boolean
  /** The path of an embedded database file; `null` for one in memory or on a server. */
  readonly file: string | null
  /** The servers' host names, in the order in which they are tried; none if it is embedded. */
  readonly hosts: readonly string[]
  /** The names behind the question mark: all of them unknown. */
  readonly parameters: readonly string[]
}

const SQLITE = /^sqlite:(?:\/\/(?=\/))?([^?]+)(?:\?(.*))?$/

/** Reads a database URL; `null` if it is none that QScope knows. */
export function parseDatabaseUrl(url: string): DatabaseTarget | null {
  const [, path, query = ''] = SQLITE.exec(url) ?? []
  if (path !== undefined) {
    const file = path === ':memory:' ? null : path
    return { url, embedded: true, file, hosts: [], parameters: [...new URLSearchParams(query).keys()] }
  }
  const server = parseServerUrl(url)
  if (server === null) return null
  const hosts = server.hosts.map(({ host }) => host)
  return { url, embedded: false, file: null, hosts, parameters: [...server.parameters.keys()] }
}

/** What stands before an `@` may be a password, however broken the rest is. */
const CREDENTIALS = /^((?!sqlite:)(?:[a-z][a-z0-9+.-]*:\/\/|(?![a-z][a-z0-9+.-]*:\/\/))[^:@]*):.*@/is

const SECRET_NAME = /password|passwd|secret|token|key/i

/** The same URL fit to be shown: passwords and parameters that look like secrets are masked. */
export function maskUrl(url: string): string {
  const masked = url.replace(CREDENTIALS, '$1:***@')
  const query = masked.search(/[?&]/)
  if (query < 0) return masked
  return masked.slice(0, query) + masked.slice(query).split('&').map(maskParameter).join('&')
}

/** Of several names in one parameter, as of `?a=b?password=c`, each counts. */
function maskParameter(text: string): string {
  const names = text.slice(0, Math.max(0, text.lastIndexOf('=')))
  return SECRET_NAME.test(names) ? `${text.slice(0, text.indexOf('='))}=***` : text
}
