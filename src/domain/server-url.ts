const SCHEMES = Object.freeze(['mysql', 'mariadb', 'postgres', 'postgresql'] as const)

/** A database on a server, as its URL names it: `scheme://user:password@host:port,host:port/database`. */
export interface ServerUrl {
  readonly scheme: (typeof SCHEMES)[number]
  /** Empty: the URL names none. */
  readonly user: string
  /** Empty: the URL names none. */
  readonly password: string
  /** In the order in which they are tried. */
  readonly hosts: readonly [ServerHost, ...ServerHost[]]
  readonly database: string
  /** What follows the question mark; of a name that stands twice, the last. */
  readonly parameters: ReadonlyMap<string, string>
}

export interface ServerHost {
  /** Without brackets. */
  readonly host: string
  /** `null`: the one that the scheme usually has. */
  readonly port: number | null
}

/** Scheme, user, password, hosts, database, query. */
const SERVER_URL = /^([a-z]+):\/\/(?:([^\s:@/?#]*)(?::([^\s@/?#]*))?@)?([^\s@/?#]+)\/([^\s/?#]+)(?:\?([^\s#]*))?$/i
/** IPv6 in brackets, or a name; port. */
const HOST = /^(?:\[([0-9a-f.]*:[0-9a-f:.]*)\]|([\w.-]+))(?::(\d{1,5}))?$/i

/** Reads the URL of a database on one or several servers; `null` if it is none. WHATWG URLs know one host only. */
export function parseServerUrl(url: string): ServerUrl | null {
  const [, schemeText = '', userText = '', passwordText = '', hostsText = '', databaseText = '', query = ''] =
    SERVER_URL.exec(url) ?? []
  const scheme = SCHEMES.find((known) => known === schemeText.toLowerCase())
  const user = decoded(userText)
  const password = decoded(passwordText)
  const database = decoded(databaseText)
  const [first, ...others] = hostsText.split(',').map(parseHost)
  const rest = others.filter((host) => host !== null)
  const understood = rest.length === others.length && user !== null && password !== null && database !== null
  if (!understood || scheme === undefined || first === undefined || first === null) return null
  const parameters = new Map(new URLSearchParams(query))
  return { scheme, user, password, hosts: [first, ...rest], database, parameters }
}

function parseHost(text: string): ServerHost | null {
  const [, v6, name, digits] = HOST.exec(text) ?? []
  const host = v6 ?? name
  const port = digits === undefined ? null : Number(digits)
  const usable = port === null || (port > 0 && port <= 65_535)
  return host === undefined || !usable ? null : { host, port }
}

/** `null`: a percent sign that starts no encoded character. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
