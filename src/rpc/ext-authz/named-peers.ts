import { BlockList, isIP } from 'node:net'
import type { CallContext } from '../../context.ts'
import { isCertificateOf, isCurrent } from '../../domain/certificate.ts'
import type { PeerRule } from '../routes.ts'

export interface NamedPeersOptions {
  /** Whether callers on the same host are allowed. */
  readonly loopback: boolean
  /** Names of Unix domain sockets whose callers are allowed; see `socketName`. */
  readonly sockets: readonly string[]
  /** Names of client certificates, as `parseTlsClientSubject` spells them. */
  readonly alternativeNames: readonly string[]
}

/** The proxies that may request decisions. */
export class NamedPeers implements PeerRule {
  readonly #sockets: readonly string[]
  readonly #alternativeNames: readonly string[]
  /** Addresses that need no certificate. */
  readonly #addresses = new BlockList()

  constructor({ loopback, sockets, alternativeNames }: NamedPeersOptions) {
    this.#sockets = sockets
    this.#alternativeNames = alternativeNames
    if (!loopback) return
    this.#addresses.addSubnet('127.0.0.0', 8, 'ipv4')
    this.#addresses.addAddress('::1', 'ipv6')
  }

  /** Whether the call comes from one of them. A name counts only in a certificate that the client CA issued. */
  include({ peer, certificate, now }: Pick<CallContext, 'peer' | 'certificate' | 'now'>): boolean {
    if (certificate !== null && isCurrent(certificate, now)) {
      if (this.#alternativeNames.some((name) => isCertificateOf(name, certificate))) return true
    }
    if (this.#sockets.includes(peer)) return true
    const family = isIP(peer)
    return family !== 0 && this.#addresses.check(peer, family === 6 ? 'ipv6' : 'ipv4')
  }
}
