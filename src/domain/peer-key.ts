import { isSocketName } from './unix-socket.ts'

/**
 * The key for the limits of a caller's address. An IPv4 address is one peer. A /64 of IPv6 is one peer, because one host can
 * use all its addresses (RFC 6177). Other texts, such as `local` or the
 * name of a Unix domain socket, are keys themselves.
 */
export function peerKey(peer: string): string {
  if (!peer.includes(':') || isSocketName(peer)) return peer
  const [address = ''] = peer.split('%', 1)
  const [head = '', tail] = address.split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    // An IPv4 address at the end takes two groups.
    const size = after.length + (after.at(-1)?.includes('.') ? 1 : 0)
    while (groups.length + size < 8) groups.push('0')
    groups.push(...after)
  }
  const prefix = groups.slice(0, 4).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
  return `${prefix.join(':')}::/64`
}
