import { resolve } from 'node:path'
import { type LibsqlUrl, parseLibsqlUrl } from '../domain/libsql-url.ts'
import { parseServerUrl } from '../domain/server-url.ts'

/** The parts of a database URL that the configuration uses. */
export interface DatabaseTarget {
  /** As given. May contain a password. */
  readonly url: string
  /** In this process, without a server. */
  readonly embedded: boolean
  /** The path of an embedded database file. `null`: in memory or on a server. */
  readonly file: string | null
  /** The servers' host names in connection order. Empty for an embedded database. */
  readonly hosts: readonly string[]
  /** The parsed URL of a libSQL database on a server, which determines its encryption. Otherwise `null`. */
  readonly libsql: LibsqlUrl | null
  /** The names in the query. None of them is supported. */
  readonly parameters: readonly string[]
  /** Why the path is probably a mistake, and how it is understood. `null`: no doubt. */
  readonly doubt: string | null
}

/** `libsql://` is followed by a host, unless a third slash begins a path. */
const EMBEDDED = /^(?:sqlite:|libsql:(?!\/\/(?!\/)))(?:\/\/(?=\/))?([^?]+)(?:\?(.*))?$/s

/** Parses a database URL. `null`: QScope does not support it. Schemes may be in capitals, as in any URL. */
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

/** Names of query parameters that URLs for other programs have. */
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

/** The parameters of a URL for messages. */
export function describeParameters({ parameters }: DatabaseTarget): string {
  // Another name may be the rest of a password that contains a question mark.
  const names = parameters.map((name) => (PARAMETERS.has(name.toLowerCase()) ? JSON.stringify(name) : 'another'))
  return names.join(', ')
}

/** A mistyped name would silently create another, empty database. */
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

/** The printable form of a database URL. It contains only the non-secret parts. An invalid URL is not shown at all. */
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
