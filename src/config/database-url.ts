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

/**
 * The URL of a database fit to be shown. It is put together from the parts that are
 * no secret; one that is not understood is not shown at all.
 */
export function maskUrl(url: string): string {
  const [, path] = SQLITE.exec(url) ?? []
  if (path !== undefined) return url.split('?', 1).join('')
  const server = parseServerUrl(url)
  if (server === null) return '(not shown)'
  const { scheme, user, password, database } = server
  const hosts = server.hosts.map(({ host, port }) => {
    const shown = host.includes(':') ? `[${host}]` : host
    return port === null ? shown : `${shown}:${port}`
  })
  const proof = password === '' ? '' : ':***'
  const at = user === '' && password === '' ? '' : `${encodeURIComponent(user)}${proof}@`
  return `${scheme}://${at}${hosts.join(',')}/${encodeURIComponent(database)}`
}
