import { isSocketName } from './unix-socket.ts'

/**
 * Under which name the limits of a caller's address are kept: an IPv4 address
 * is one peer, of IPv6 a whole /64 is, for one host has as many as it likes
 * (RFC 6177). Whatever is no address stands for itself, such as `local` or the
 * name of a Unix domain socket.
 */
export function peerKey(peer: string): string {
  if (!peer.includes(':') || isSocketName(peer)) return peer
  const [address = ''] = peer.split('%', 1)
  const [head = '', tail] = address.split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    // An IPv4 address at the end fills two groups.
    const size = after.length + (after.at(-1)?.includes('.') ? 1 : 0)
    while (groups.length + size < 8) groups.push('0')
    groups.push(...after)
  }
  const prefix = groups.slice(0, 4).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
  return `${prefix.join(':')}::/64`
}
