import { BlockList, isIP } from 'node:net'

/** Where to listen, or whom to call. */
export interface Address {
  /** Without brackets. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

const ADDRESS = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:[\]/]+)):(\d{1,5})$/
const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8)
LOOPBACK.addAddress('::1', 'ipv6')

/** Reads `host:port` or `[v6]:port`; `null` if it is none. */
export function parseAddress(text: string): Address | null {
  const [, v6, name, digits] = ADDRESS.exec(text) ?? []
  const host = v6 ?? name
  const port = Number(digits)
  return host === undefined || port > 65_535 ? null : { host, port }
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether only this machine can reach it: an address of 127.0.0.0/8, `::1`, or `localhost`. A name that looks like an address is none. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const family = isIP(bare)
  if (family === 0) return bare.toLowerCase() === 'localhost'
  return LOOPBACK.check(bare, family === 6 ? 'ipv6' : 'ipv4')
}
