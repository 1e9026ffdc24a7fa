import { socketName, type UnixSocket } from '../domain/unix-socket.ts'
import { namesOf, type PeerNames } from './peer-names.ts'
import type { Problems } from './problems.ts'
import type { Values } from './variables.ts'

/** The Unix domain sockets to listen at. */
export interface Sockets {
  /** `null`: gRPC is served on its port only. */
  readonly grpc: UnixSocket | null
  /** `null`: HTTP is served on its port only, if at all. */
  readonly http: UnixSocket | null
}

/** Peers that are known by their connections, other than by its address. */
export type ProvenPeers = Omit<PeerNames, 'loopback'>

/** May connect: `write` in the permissions of others. */
const OTHERS_WRITE = 0o002
const NOBODY: ProvenPeers = Object.freeze({ sockets: Object.freeze([]), alternativeNames: Object.freeze([]) })

export function socketsOf({ sockets, http }: Values, problems: Problems): Sockets {
  const { grpc, mode } = sockets
  if (grpc === null && sockets.http === null && problems.isSet('QSCOPE_SOCKET_MODE')) {
    problems.add('QSCOPE_SOCKET_MODE', 'requires QSCOPE_GRPC_SOCKET or QSCOPE_HTTP_SOCKET')
  }
  if (http.listen === null && problems.isSet('QSCOPE_HTTP_SOCKET')) {
    problems.add('QSCOPE_HTTP_SOCKET', 'requires QSCOPE_HTTP_LISTEN')
  }
  if (grpc !== null && grpc === sockets.http) {
    problems.add('QSCOPE_HTTP_SOCKET', `should be another path than QSCOPE_GRPC_SOCKET, ${grpc}`)
  }
  const at = (path: string | null) => (path === null ? null : Object.freeze({ path, mode }))
  return Object.freeze({ grpc: at(grpc), http: at(sockets.http) })
}

/** Who may call external authorization. Without names it would refuse everybody, and names of certificates say nothing without a CA. */
export function extAuthzPeersOf(
  { extAuthz: { on, peers }, sockets }: Values,
  hasClientCa: boolean,
  problems: Problems,
): PeerNames | null {
  const name = 'QSCOPE_EXT_AUTHZ_PEERS'
  if (!on) {
    if (problems.isSet(name)) problems.add(name, 'requires QSCOPE_EXT_AUTHZ=on')
    return null
  }
  if (peers === null) {
    if (!problems.isBroken(name)) problems.add(name, 'should be set, because QSCOPE_EXT_AUTHZ is on')
    return null
  }
  if (peers.alternativeNames.length > 0 && !hasClientCa) {
    problems.add(name, 'requires QSCOPE_TLS_CLIENT_CA_FILE to verify the certificates with these names')
  }
  const other = peers.sockets.find((socket) => sockets.grpc === null || socket !== socketName(sockets.grpc))
  if (other !== undefined) problems.add(name, `has ${other}, which is not QSCOPE_GRPC_SOCKET`)
  return peers
}

/** Their certificates, and those that they tell of, come from the CA for clients. */
export function trustedProxiesOf(
  { trustedProxies, extAuthz, sockets }: Values,
  hasClientCa: boolean,
  problems: Problems,
): ProvenPeers {
  if (trustedProxies === null) return NOBODY
  const name = 'QSCOPE_TRUSTED_PROXIES'
  if (!hasClientCa) {
    problems.add(name, 'needs QSCOPE_TLS_CLIENT_CA_FILE, to verify the certificates of proxies and their callers')
  }
  const known = [sockets.grpc, sockets.http].filter((path) => path !== null).map(socketName)
  const other = trustedProxies.sockets.find((socket) => !known.includes(socket))
  if (other !== undefined) {
    problems.add(name, `has ${other}, which is neither QSCOPE_GRPC_SOCKET nor QSCOPE_HTTP_SOCKET`)
  } else if (trustedProxies.sockets.length > 0 && (sockets.mode & OTHERS_WRITE) !== 0) {
    problems.add(
      'QSCOPE_SOCKET_MODE',
      'should not let others write, because QSCOPE_TRUSTED_PROXIES trusts whoever can connect to the socket',
    )
  }
  const authorizing = extAuthz.peers === null ? [] : namesOf(extAuthz.peers)
  const both = namesOf(trustedProxies).find((each) => authorizing.includes(each))
  if (both !== undefined) {
    const remedy = both.startsWith('unix:') ? '' : '; give it another certificate for one of the two'
    problems.add(
      name,
      `should not have ${both}, which QSCOPE_EXT_AUTHZ_PEERS has too: calls that come through a proxy never count as its own${remedy}`,
    )
  }
  return trustedProxies
}
