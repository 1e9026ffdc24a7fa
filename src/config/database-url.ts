import { resolve } from 'node:path'
import { type LibsqlUrl, parseLibsqlUrl } from '../domain/libsql-url.ts'
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
  /** Set where the database is one of libSQL on a server, whose URL says whether it is encrypted; else `null`. */
  readonly libsql: LibsqlUrl | null
  /** The names behind the question mark: all of them unknown. */
  readonly parameters: readonly string[]
  /** Why the path is hardly what was meant, and what it is understood as; `null`: it is fine. */
  readonly doubt: string | null
}

/** What follows `libsql://` is a host, unless a third slash begins a path. */
const EMBEDDED = /^(?:sqlite:|libsql:(?!\/\/(?!\/)))(?:\/\/(?=\/))?([^?]+)(?:\?(.*))?$/s

/** Reads a database URL; `null` if it is none that QScope knows. Schemes may be in capitals, as in any URL. */
export function parseDatabaseUrl(text: string): DatabaseTarget | null {
  const url = text.replace(/^[a-z]+:/i, (scheme) => scheme.toLowerCase())
  const [, path, query = ''] = EMBEDDED.exec(url) ?? []
  if (path !== undefined) {
    const file = path === ':memory:' ? null : path
    return {
      url,
      embedded: true,
      file,
      hosts: [],
      libsql: null,
      parameters: [...new URLSearchParams(query).keys()],
      doubt: doubtOf(path),
    }
  }
  const common = { url, embedded: false, file: null, doubt: null }
  const libsql = parseLibsqlUrl(url)
  if (libsql !== null) return { ...common, hosts: [libsql.host], libsql, parameters: libsql.parameters }
  const server = parseServerUrl(url)
  if (server === null) return null
  const hosts = server.hosts.map(({ host }) => host)
  return { ...common, hosts, libsql: null, parameters: [...server.parameters.keys()] }
}

/** What URLs for other programs carry behind the question mark. */
const PARAMETERS: ReadonlySet<string> = new Set([
  'application_name',
  'authtoken',
  'cache',
  'charset',
  'collation',
  'connect_timeout',
  'connection_limit',
  'mode',
  'options',
  'pool_timeout',
  'schema',
  'ssl',
  'ssl-mode',
  'sslaccept',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslrootcert',
  'statement_timeout',
  'target_session_attrs',
  'timezone',
  'tls',
])

/** The parameters of a URL as a message may name them. */
export function describeParameters({ parameters }: DatabaseTarget): string {
  // A name that is none of these may be the rest of a password with a question mark in it.
  const names = parameters.map((name) => (PARAMETERS.has(name.toLowerCase()) ? JSON.stringify(name) : 'another'))
  return names.join(', ')
}

/** A file of another name is another database, and an empty one. */
function doubtOf(path: string): string | null {
  if (/^\s|\s$|\p{Cc}/u.test(path)) {
    return `should name a file without white space around its name and without line breaks, but names ${JSON.stringify(path)}`
  }
  if (/^~/.test(path)) {
    return `names the file ${resolve(path)}: ~ is not expanded, so write the path of the home directory in full`
  }
  if (/^\/\/[^/]/.test(path)) {
    const rest = path.slice(2)
    return `names the file ${resolve(path)}: write sqlite:${rest} for a path from the working directory, or sqlite:/${rest}`
  }
  return null
}

/**
 * The URL of a database fit to be shown. It is put together from the parts that are
 * no secret; one that is not understood is not shown at all.
 */
export function maskUrl(url: string): string {
  const [, path] = EMBEDDED.exec(url) ?? []
  if (path !== undefined) return url.split('?', 1).join('')
  if (parseLibsqlUrl(url) !== null) return url.split('?', 1).join('')
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
