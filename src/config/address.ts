import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

/** An address to listen on or to connect to. */
export interface Address {
  /** Without brackets. */
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

const ADDRESS = /^(?:\[([0-9A-Za-z:.%_-]+)\]|([0-9A-Za-z._-]+)):(0|[1-9]\d{0,4})$/
/** A host that ends with a number must be an IPv4 address. Parsers disagree about other forms. */
const ENDS_WITH_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i
const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8)
LOOPBACK.addAddress('::1', 'ipv6')

/** Parses `host:port` or `[v6]:port`. `null`: the text is neither. */
export function parseAddress(text: string): Address | null {
  const [, v6, name, digits] = ADDRESS.exec(text) ?? []
  const host = v6 ?? name
  const port = Number(digits)
  if (host === undefined || port > 65_535) return null
  if (v6 !== undefined ? !isIPv6(v6) : ENDS_WITH_NUMBER.test(host) && !isIPv4(host)) return null
  return { host, port }
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether only this machine can reach the host: an address of 127.0.0.0/8, `::1`, or `localhost`. Invalid addresses are not included. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const family = isIP(bare)
  if (family === 0) return bare.toLowerCase() === 'localhost'
  return LOOPBACK.check(bare, family === 6 ? 'ipv6' : 'ipv4')
}
