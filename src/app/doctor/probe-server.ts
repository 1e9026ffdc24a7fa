import { connect as connectPlain } from 'node:net'
import { connect as connectTls, type PeerCertificate } from 'node:tls'
import { type Address, formatAddress } from '../../config/address.ts'
import { messageOf } from '../../message-of.ts'

/** How long each look may take. */
const PATIENCE_MS = 2_000
/** How long a server that dislikes a client's certificate has to say so, once TLS 1.3 stands without its word. */
const OBJECTION_MS = 500
/** RFC 9113 §3.4, §6.5: what a client begins with, and an empty SETTINGS frame. */
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
])
const SETTINGS = 4
const RESET = 'ECONNRESET'

/** How a connection is secured; `verifies`: whether the server's certificate counts. */
export type Security =
  | { readonly kind: 'plaintext' }
  | {
      readonly kind: 'tls'
      readonly ca: Buffer | null
      readonly cert: Buffer | null
      readonly key: Buffer | null
      readonly verifies: boolean
    }

export const PLAINTEXT: Security = Object.freeze({ kind: 'plaintext' })

/** What keeps calls from a server. */
export type Obstacle =
  | { readonly kind: 'unknown_host'; readonly code: string }
  | { readonly kind: 'nothing_listens' }
  | { readonly kind: 'unreachable'; readonly code: string }
  /** The server speaks TLS, the caller did not. */
  | { readonly kind: 'speaks_tls' }
  /** The caller speaks TLS, the server does not. */
  | { readonly kind: 'speaks_plaintext' }
  | { readonly kind: 'speaks_no_http2' }
  | { readonly kind: 'unknown_ca'; readonly code: string }
  | { readonly kind: 'wrong_name'; readonly names: string }
  | { readonly kind: 'expired'; readonly until: string }
  | { readonly kind: 'not_yet_valid'; readonly from: string }
  | { readonly kind: 'wants_client_certificate' }
  | { readonly kind: 'refuses_client_certificate'; readonly code: string }
  | { readonly kind: 'other_tls'; readonly code: string }

/** Looks, after a call failed, why: connects once or twice, sends nothing secret. `null`: nothing is in the way now. */
export async function findObstacle(address: Address, security: Security): Promise<Obstacle | null> {
  const plain = await speaksPlaintext(address)
  if (plain === 'yes') return security.kind === 'plaintext' ? null : { kind: 'speaks_plaintext' }
  if (plain !== 'no') return plain
  if (security.kind === 'tls') return await tlsObstacle(address, security)
  const asTls = await tlsObstacle(address, { kind: 'tls', ca: null, cert: null, key: null, verifies: false })
  return asTls === null || asTls.kind === 'wants_client_certificate'
    ? { kind: 'speaks_tls' }
    : { kind: 'speaks_no_http2' }
}

/** Whether HTTP/2 is answered without TLS; or why not even a connection comes about. */
function speaksPlaintext({ host, port }: Address): Promise<'yes' | 'no' | Obstacle> {
  const { promise, resolve } = Promise.withResolvers<'yes' | 'no' | Obstacle>()
  let connected = false
  const socket = connectPlain({ host, port, timeout: PATIENCE_MS }, () => {
    connected = true
    socket.write(PREFACE)
  })
  socket
    .once('data', (bytes) => resolve(bytes[3] === SETTINGS ? 'yes' : 'no'))
    .once('error', (error) => resolve(connected ? 'no' : networkObstacle(error)))
    .once('timeout', () => resolve(connected ? 'no' : { kind: 'unreachable', code: 'ETIMEDOUT' }))
    .once('close', () => resolve('no'))
  return promise.finally(() => socket.destroy())
}

function networkObstacle(error: Error): Obstacle {
  const code = codeOf(error)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NODATA') return { kind: 'unknown_host', code }
  return code === 'ECONNREFUSED' ? { kind: 'nothing_listens' } : { kind: 'unreachable', code }
}

function tlsObstacle({ host, port }: Address, security: Extract<Security, { kind: 'tls' }>): Promise<Obstacle | null> {
  const { ca, cert, key, verifies } = security
  const { promise, resolve } = Promise.withResolvers<Obstacle | null>()
  let established = false
  const socket = connectTls(
    {
      host,
      port,
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
      timeout: PATIENCE_MS,
      ...(ca !== null && { ca }),
      ...(cert !== null && { cert }),
      ...(key !== null && { key }),
    },
    () => {
      established = true
      const problem = verifies ? certificateObstacle(socket.authorizationError, socket.getPeerCertificate()) : null
      if (problem !== null) return resolve(problem)
      // What the server says first is its consent, or an alert.
      setTimeout(() => resolve(null), OBJECTION_MS).unref()
      socket.once('data', () => resolve(null))
    },
  )
  socket
    .once('error', (error) => resolve(alertObstacle(codeOf(error), { established, showsCertificate: cert !== null })))
    .once('timeout', () => resolve({ kind: 'other_tls', code: 'ETIMEDOUT' }))
    .once('close', () => resolve(alertObstacle(RESET, { established, showsCertificate: cert !== null })))
  return promise.finally(() => socket.destroy())
}

function certificateObstacle(error: Error | string | null, certificate: PeerCertificate): Obstacle | null {
  if (!error) return null
  const code = typeof error === 'string' ? error : codeOf(error)
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return { kind: 'wrong_name', names: certificate.subjectaltname ?? 'no names' }
    case 'CERT_HAS_EXPIRED':
      return { kind: 'expired', until: certificate.valid_to }
    case 'CERT_NOT_YET_VALID':
      return { kind: 'not_yet_valid', from: certificate.valid_from }
    default:
      return { kind: 'unknown_ca', code }
  }
}

/**
 * RFC 8446 §6.2. A server that reset a connection which stood already disliked
 * what came last from the client, its certificate; the alert may be lost with it.
 */
function alertObstacle(
  code: string,
  { established, showsCertificate }: { readonly established: boolean; readonly showsCertificate: boolean },
): Obstacle {
  if (established && code === RESET) {
    return showsCertificate ? { kind: 'refuses_client_certificate', code } : { kind: 'wants_client_certificate' }
  }
  if (/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/.test(code) && !showsCertificate)
    return { kind: 'wants_client_certificate' }
  if (/ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE|ACCESS_DENIED|HANDSHAKE_FAILURE)/.test(code)) {
    return { kind: 'refuses_client_certificate', code }
  }
  return { kind: 'other_tls', code }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : messageOf(error)
}

/** Who says how connections are secured: options of a command, or the environment that the server has as well. */
export type ToldBy = 'options' | 'environment'

/** What is in the way, and what to do about it, in a sentence. */
export function describeObstacle(obstacle: Obstacle, address: Address, toldBy: ToldBy): string {
  const where = formatAddress(address)
  const byOptions = toldBy === 'options'
  switch (obstacle.kind) {
    case 'unknown_host':
      return `the host ${address.host} is unknown (${obstacle.code}): check its name, and how this machine resolves names`
    case 'nothing_listens':
      return `no server answers at ${where}: nothing listens there; check the port, or start the server`
    case 'unreachable':
      return `no server answers at ${where} (${obstacle.code}): check the address, the network and its firewalls`
    case 'speaks_tls':
      return `the server at ${where} speaks TLS, and was called in plaintext: ${byOptions ? 'give --tls, or --ca-file with the CA that issued its certificate' : 'set QSCOPE_TLS_CERT_FILE and QSCOPE_TLS_KEY_FILE as the server has them, or give --server and --tls'}`
    case 'speaks_plaintext':
      return `the server at ${where} speaks plaintext, and was called over TLS: ${byOptions ? 'leave out --tls, --ca-file and --cert-file, or turn TLS on at the server' : 'start it again with QSCOPE_TLS_CERT_FILE and QSCOPE_TLS_KEY_FILE, or unset them here'}`
    case 'speaks_no_http2':
      return `what listens at ${where} does not speak gRPC: check the port`
    case 'unknown_ca':
      return `the certificate of the server at ${where} is not from a CA that is trusted here (${obstacle.code}): give --ca-file with the certificate of the CA that issued it`
    case 'wrong_name':
      return `the certificate of the server at ${where} is not for ${address.host}, but for ${obstacle.names}: call the server by a name of its certificate`
    case 'expired':
      return `the certificate of the server at ${where} ran out on ${obstacle.until}: renew it at the server`
    case 'not_yet_valid':
      return `the certificate of the server at ${where} begins on ${obstacle.from}: compare the clocks`
    case 'wants_client_certificate':
      return `the server at ${where} wants a certificate of its clients: give --cert-file and --key-file`
    case 'refuses_client_certificate':
      return `the server at ${where} refuses the certificate that was shown (${obstacle.code}): show one that its CA for clients issued, and that has not run out`
    case 'other_tls':
      return `the server at ${where} breaks off the TLS handshake (${obstacle.code}): compare the TLS versions, and look into its log`
    default:
      return obstacle satisfies never
  }
}
