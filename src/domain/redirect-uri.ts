const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost'])
/** RFC 8252 §7.1: a private-use scheme is a reversed domain name, so it has a dot. */
const REVERSE_DOMAIN_SCHEME = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/
/** RFC 3986 §2: the characters of a URI. Parsers rewrite others in different ways. */
const URI_CHARACTERS = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/

/** Parsers accept missing and surplus slashes, and zeros before a port. They are rejected here. */
const AUTHORITY = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?:0|[1-9]\d{0,4}))?(?=[/?]|$)/i

const BROKEN_PERCENT = /%(?![0-9A-Fa-f]{2})/
/** RFC 3986 §5.2.4: a browser removes these segments and requests another path. */
const DOT_SEGMENT = /^[^?]*\/(?:\.|%2e){1,2}(?:[/?]|$)/i

/** Returns why a URI cannot be registered. `null`: it can. */
export function redirectUriProblem(uri: string): string | null {
  if (!URI_CHARACTERS.test(uri)) return 'must be an absolute URI in ASCII'
  if (uri.includes('#')) return 'must not have a fragment (RFC 6749 §3.1.2)'
  const url = URL.canParse(uri) ? new URL(uri) : null
  if (url === null) return 'must be an absolute URI'
  if (BROKEN_PERCENT.test(uri)) return 'must have two hexadecimal digits after each percent sign'
  if (DOT_SEGMENT.test(uri)) return 'must not have . or .. as a segment of its path'
  if (url.username !== '' || url.password !== '') return 'must not contain a user name or password'
  const host = writtenHost(uri)
  switch (url.protocol) {
    case 'https:':
      if (host === null) return 'must have a host, and a port without leading zeros'
      return host.toLowerCase() === url.hostname ? null : `must write its host as ${url.hostname}`
    case 'http:':
      return host !== null && LOOPBACK_HOSTS.has(host)
        ? null
        : 'must use https; http is allowed only for 127.0.0.1, [::1] and localhost (RFC 8252 §7.3)'
    default:
      return REVERSE_DOMAIN_SCHEME.test(url.protocol)
        ? null
        : 'must use https, or a private-use scheme in reverse-domain form such as com.example.app:/callback (RFC 8252 §7.1)'
  }
}

/**
 * The host as it is written, not as a parser understands it. Parsers disagree about `127.1`, `0x7f000001` and
 * `[0:0:0:0:0:0:0:1]`: one takes them for loopback, another for a different host or for none.
 */
function writtenHost(uri: string): string | null {
  return AUTHORITY.exec(uri)?.[1] ?? null
}

/** RFC 9700 §2.1: exact string comparison. RFC 8252 §7.3: for loopback IP addresses, the port is ignored. */
export function redirectUriMatches(registered: string, presented: string): boolean {
  if (registered === presented) return true
  const a = loopbackWithoutPort(registered)
  return a !== null && a === loopbackWithoutPort(presented)
}

const LOOPBACK_URI = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::(0|[1-9]\d{0,4}))?([/?].*)?$/

function loopbackWithoutPort(uri: string): string | null {
  const match = LOOPBACK_URI.exec(uri)
  if (match === null) return null
  const [, origin, port, rest] = match
  if (port !== undefined && Number(port) > 65_535) return null
  return `${origin}${rest ?? ''}`
}
