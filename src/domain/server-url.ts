const SCHEMES = Object.freeze(['mysql', 'mariadb', 'postgres', 'postgresql'] as const)

/** The URL of a database on a server: `scheme://user:password@host:port,host:port/database`. */
export interface ServerUrl {
  readonly scheme: (typeof SCHEMES)[number]
  /** Empty: not given. */
  readonly user: string
  /** Empty: not given. */
  readonly password: string
  /** In connection order. */
  readonly hosts: readonly [ServerHost, ...ServerHost[]]
  readonly database: string
  /** The query. If a name occurs twice, the last value counts. */
  readonly parameters: ReadonlyMap<string, string>
}

export interface ServerHost {
  /** Without brackets. */
  readonly host: string
  /** `null`: the default port of the scheme. */
  readonly port: number | null
}

/** Scheme, user, password, hosts, database, query. */
const SERVER_URL = /^([a-z]+):\/\/(?:([^\s:@/?#]*)(?::([^\s@/?#]*))?@)?([^\s@/?#]+)\/([^\s/?#]+)(?:\?([^\s#]*))?$/i
/** IPv6 in brackets, or a name; port. */
const HOST = /^(?:\[([0-9a-f.]*:[0-9a-f:.]*)\]|([\w.-]+))(?::(\d{1,5}))?$/i

/** Parses the URL of a database on one or several servers. `null`: the text is not one. WHATWG URLs allow only one host. */
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

/** `null`: invalid percent-encoding. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
