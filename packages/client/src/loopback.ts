/** A host of this machine as it is written; other spellings (`127.1`, `0x7f.1`) are not taken for one. */
const LOOPBACK_HOST = /^(?:localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d{1,2})){3}|\[::1\])$/i
const ENDPOINT = /^(\[[^\]]*\]|[^[\]:/@,]*)(?::\d+)?$/
const SCHEME = /^(dns|passthrough|ipv4|ipv6):(.*)$/s
/** `//authority/`, of which only an empty authority leaves the name to this machine. */
const AUTHORITY = /^\/\/\//

/** Whether a gRPC target is on this machine: plaintext to it leaves no trace on any network. */
export function isLoopbackTarget(target: string): boolean {
  if (/^unix(?:-abstract)?:/.test(target)) return true
  const [, scheme, rest = ''] = SCHEME.exec(target) ?? []
  if (scheme === undefined) return isLoopbackEndpoint(target)
  const endpoints = rest.replace(AUTHORITY, '')
  return scheme === 'dns' || scheme === 'passthrough'
    ? isLoopbackEndpoint(endpoints)
    : endpoints.split(',').every(isLoopbackEndpoint)
}

/** Whether a URL names this machine. */
export function isLoopbackUrl(url: string): boolean {
  return LOOPBACK_HOST.test(new URL(url).hostname)
}

function isLoopbackEndpoint(endpoint: string): boolean {
  const [, host = ''] = ENDPOINT.exec(endpoint) ?? []
  return LOOPBACK_HOST.test(host)
}
