import { BlockList, isIP } from 'node:net'
import type { PrivateHosts } from '../../config/value-types.ts'

/** IANA's special-purpose addresses that are not globally reachable (RFC 6890), and multicast addresses (RFC 1112). */
const REFUSED_IPV4 = Object.freeze([
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)

/**
 * Global unicast (RFC 4291 §2.4), IPv4-mapped (§2.5.5.2) and NAT64 addresses (RFC 6052 §2.1). No other IPv6 address is
 * public.
 */
const PUBLIC_IPV6 = Object.freeze([
  ['2000::', 3],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
] as const)

/**
 * The part of `PUBLIC_IPV6` that is not public: Teredo, benchmarks and other protocols (RFC 2928), and documentation.
 */
const REFUSED_IPV6 = Object.freeze([
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
] as const)

/**
 * Decides which addresses a URL that was set through the API may resolve to: public internet addresses, and the ranges
 * that the configuration allows. An IPv6 address that embeds an IPv4 address is judged as the host that it reaches.
 */
export class AddressPolicy {
  readonly #names: ReadonlySet<string>
  readonly #named = new BlockList()
  readonly #publicIpv6 = new BlockList()
  readonly #refused = new BlockList()

  constructor({ names, networks }: PrivateHosts) {
    this.#names = new Set(names)
    for (const { address, prefix, family } of networks) this.#named.addSubnet(address, prefix, family)
    for (const [address, prefix] of PUBLIC_IPV6) this.#publicIpv6.addSubnet(address, prefix, 'ipv6')
    for (const [address, prefix] of REFUSED_IPV6) this.#refused.addSubnet(address, prefix, 'ipv6')
    for (const [address, prefix] of REFUSED_IPV4) {
      this.#refused.addSubnet(address, prefix, 'ipv4')
      this.#refused.addSubnet(`64:ff9b::${address}`, 96 + prefix, 'ipv6')
      this.#refused.addSubnet(as6to4(address), 16 + prefix, 'ipv6')
    }
  }

  /**
   * Whether a connection to `address` is allowed for a URL with this `host`. `address` is one of the addresses of the
   * host.
   */
  allows(host: string, address: string): boolean {
    const family = isIP(address)
    // An address with a zone is link-local.
    if (family === 0 || address.includes('%')) return false
    const kind = family === 6 ? 'ipv6' : 'ipv4'
    if (this.#names.has(host) || this.#named.check(address, kind)) return true
    const isPublic = family === 4 || this.#publicIpv6.check(address, kind)
    // IPv4 subnets apply to IPv4-mapped addresses too.
    return isPublic && !this.#refused.check(address, kind)
  }
}

/** RFC 3056 §2: the 6to4 prefix of an IPv4 address. */
function as6to4(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
  return `2002:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}::`
}
