import { z } from 'zod'
import { parseTlsClientSubject } from '../domain/certificate.ts'
import { isSocketName, socketPath, socketPathProblem } from '../domain/unix-socket.ts'
import { trimSpaces, ValueType } from './value-types.ts'

/** Who calls, by what its connection proves. */
export interface PeerNames {
  /** Whether callers on the same host are among them. */
  readonly loopback: boolean
  /** Unix domain sockets of this server, as `socketName` spells them. */
  readonly sockets: readonly string[]
  /** In the grammar of `parseTlsClientSubject`: `dns:…` and `uri:…`. */
  readonly alternativeNames: readonly string[]
}

/** Names of certificates, Unix domain sockets and the word `loopback`, separated by commas and, if liked, spaces. */
export function peerNames(shouldBe: string): ValueType<PeerNames> {
  const schema = z.string().transform((list, context): PeerNames => {
    const each = list.split(',').map((one) => trimSpaces(one))
    const sockets = each.filter(isSocketName)
    const names = each
      .filter((one) => one !== 'loopback' && !isSocketName(one))
      .map((one) => parseTlsClientSubject(`${one.includes(':') ? 'uri' : 'dns'}:${one}`))
    const alternativeNames = names.filter((name) => name !== null)
    const problem =
      alternativeNames.length < names.length
        ? 'has an item that is neither a DNS name nor a URI, or a spiffe: URI that is not the SPIFFE ID of a workload'
        : whyNoSockets(sockets)
    if (problem === null) {
      return Object.freeze({
        loopback: each.includes('loopback'),
        sockets: Object.freeze(sockets),
        alternativeNames: Object.freeze(alternativeNames),
      })
    }
    context.addIssue({ code: 'custom', message: problem })
    return z.NEVER
  })
  return new ValueType(schema, shouldBe, (peers) =>
    [...(peers.loopback ? ['loopback'] : []), ...namesOf(peers)].join(','),
  )
}

/** The same without the word `loopback`. */
export function proxyNames(shouldBe: string): ValueType<PeerNames> {
  const peers = peerNames(shouldBe)
  const schema = peers.schema.superRefine(({ loopback }, context) => {
    if (loopback) context.addIssue({ code: 'custom', message: 'has the word loopback: an address is no proof' })
  })
  return new ValueType(schema, shouldBe, (named) => peers.format(named))
}

/** Its names as they are written. */
export function namesOf({ sockets, alternativeNames }: Omit<PeerNames, 'loopback'>): readonly string[] {
  return [...sockets, ...alternativeNames.map((name) => name.slice(name.indexOf(':') + 1))]
}

function whyNoSockets(sockets: readonly string[]): string | null {
  const problem = sockets.map((name) => socketPathProblem(socketPath(name))).find((found) => found !== null)
  return problem === undefined ? null : `has the path of a Unix domain socket that ${problem}`
}
