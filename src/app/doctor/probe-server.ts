import { connect as connectPlain } from 'node:net'
import { connect as connectTls, type PeerCertificate } from 'node:tls'
import { type Address, formatAddress } from '../../config/address.ts'
import { messageOf } from '../../message-of.ts'

/** The time limit of each attempt. */
const PROBE_TIMEOUT_MS = 2_000
/** The time for a server to reject the client's certificate after TLS 1.3 was established on the client's side. */
const ALERT_TIMEOUT_MS = 500
/** RFC 9113 §3.4, §6.5: the client's preface and an empty SETTINGS frame. */
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
])
const SETTINGS = 4
const RESET = 'ECONNRESET'

/** The security of a connection. `verifies`: whether the server's certificate is verified. */
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

/** Why calls do not reach a server. */
export type ConnectionProblem =
  | { readonly kind: 'unknown_host'; readonly code: string }
  | { readonly kind: 'nothing_listens' }
  | { readonly kind: 'unreachable'; readonly code: string }
  /** The server uses TLS, but the caller does not. */
  | { readonly kind: 'speaks_tls' }
  /** The caller uses TLS, but the server does not. */
  | { readonly kind: 'speaks_plaintext' }
  | { readonly kind: 'speaks_no_http2' }
  | { readonly kind: 'unknown_ca'; readonly code: string }
  | { readonly kind: 'wrong_name'; readonly names: string }
  | { readonly kind: 'expired'; readonly until: string }
  | { readonly kind: 'not_yet_valid'; readonly from: string }
  | { readonly kind: 'wants_client_certificate' }
  | { readonly kind: 'refuses_client_certificate'; readonly code: string }
  | { readonly kind: 'other_tls'; readonly code: string }

/** Finds the reason of a failed call with one or two connections, without sending secrets. `null`: there is no problem now. */
export async function probeServer(address: Address, security: Security): Promise<ConnectionProblem | null> {
  const plain = await speaksPlaintext(address)
  if (plain === 'yes') return security.kind === 'plaintext' ? null : { kind: 'speaks_plaintext' }
  if (plain !== 'no') return plain
  if (security.kind === 'tls') return await tlsProblem(address, security)
  const asTls = await tlsProblem(address, { kind: 'tls', ca: null, cert: null, key: null, verifies: false })
  return asTls === null || asTls.kind === 'wants_client_certificate'
    ? { kind: 'speaks_tls' }
    : { kind: 'speaks_no_http2' }
}

/** Whether HTTP/2 is answered without TLS, or why a connection fails. */
function speaksPlaintext({ host, port }: Address): Promise<'yes' | 'no' | ConnectionProblem> {
  const { promise, resolve } = Promise.withResolvers<'yes' | 'no' | ConnectionProblem>()
  let connected = false
  const socket = connectPlain({ host, port, timeout: PROBE_TIMEOUT_MS }, () => {
    connected = true
    socket.write(PREFACE)
  })
  socket
    .once('data', (bytes) => resolve(bytes[3] === SETTINGS ? 'yes' : 'no'))
    .once('error', (error) => resolve(connected ? 'no' : networkProblem(error)))
    .once('timeout', () => resolve(connected ? 'no' : { kind: 'unreachable', code: 'ETIMEDOUT' }))
    .once('close', () => resolve('no'))
  return promise.finally(() => socket.destroy())
}

function networkProblem(error: Error): ConnectionProblem {
  const code = codeOf(error)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NODATA') return { kind: 'unknown_host', code }
  return code === 'ECONNREFUSED' ? { kind: 'nothing_listens' } : { kind: 'unreachable', code }
}

function tlsProblem(
  { host, port }: Address,
  security: Extract<Security, { kind: 'tls' }>,
): Promise<ConnectionProblem | null> {
  const { ca, cert, key, verifies } = security
  const { promise, resolve } = Promise.withResolvers<ConnectionProblem | null>()
  let established = false
  const socket = connectTls(
    {
      host,
      port,
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
      timeout: PROBE_TIMEOUT_MS,
      ...(ca !== null && { ca }),
      ...(cert !== null && { cert }),
      ...(key !== null && { key }),
    },
    () => {
      established = true
      const problem = verifies ? certificateProblem(socket.authorizationError, socket.getPeerCertificate()) : null
      if (problem !== null) return resolve(problem)
      // The server's first message is its acceptance, or an alert.
      setTimeout(() => resolve(null), ALERT_TIMEOUT_MS).unref()
      socket.once('data', () => resolve(null))
    },
  )
  socket
    .once('error', (error) => resolve(alertProblem(codeOf(error), { established, showsCertificate: cert !== null })))
    .once('timeout', () => resolve({ kind: 'other_tls', code: 'ETIMEDOUT' }))
    .once('close', () => resolve(alertProblem(RESET, { established, showsCertificate: cert !== null })))
  return promise.finally(() => socket.destroy())
}

function certificateProblem(error: Error | string | null, certificate: PeerCertificate): ConnectionProblem | null {
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
 * RFC 8446 §6.2. A server that resets an established connection has rejected the client's last message, its certificate. The
 * alert may be lost.
 */
function alertProblem(
  code: string,
  { established, showsCertificate }: { readonly established: boolean; readonly showsCertificate: boolean },
): ConnectionProblem {
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

/** Where the security settings come from: options of a command, or the environment shared with the server. */
export type SecuritySource = 'options' | 'environment'

/** The problem and the remedy in one sentence. */
export function describeConnectionProblem(
  problem: ConnectionProblem,
  address: Address,
  source: SecuritySource,
): string {
  const where = formatAddress(address)
  const byOptions = source === 'options'
  switch (problem.kind) {
    case 'unknown_host':
      return `the host ${address.host} cannot be resolved (${problem.code}): check the name and the DNS settings of this machine`
    case 'nothing_listens':
      return `no server listens at ${where}: check the port, or start the server`
    case 'unreachable':
      return `no server answers at ${where} (${problem.code}): check the address, the network and its firewalls`
    case 'speaks_tls':
      return `the server at ${where} expects TLS, but was called in plaintext: ${byOptions ? 'give --tls, or --ca-file with the CA that issued its certificate' : 'set QSCOPE_TLS_CERT_FILE and QSCOPE_TLS_KEY_FILE as the server has them, or give --server and --tls'}`
    case 'speaks_plaintext':
      return `the server at ${where} expects plaintext, but was called over TLS: ${byOptions ? 'omit --tls, --ca-file and --cert-file, or turn TLS on at the server' : 'start it again with QSCOPE_TLS_CERT_FILE and QSCOPE_TLS_KEY_FILE, or unset them here'}`
    case 'speaks_no_http2':
      return `the server at ${where} does not speak gRPC: check the port`
    case 'unknown_ca':
      return `the certificate of the server at ${where} is not issued by a trusted CA (${problem.code}): give --ca-file with the certificate of the CA that issued it`
    case 'wrong_name':
      return `the certificate of the server at ${where} is for ${problem.names}, not for ${address.host}: call the server by a name in its certificate`
    case 'expired':
      return `the certificate of the server at ${where} expired on ${problem.until}: renew it at the server`
    case 'not_yet_valid':
      return `the certificate of the server at ${where} is not valid before ${problem.from}: check the clocks of both machines`
    case 'wants_client_certificate':
      return `the server at ${where} requires a client certificate: give --cert-file and --key-file`
    case 'refuses_client_certificate':
      return `the server at ${where} refuses the client certificate (${problem.code}): give one that its CA for clients issued and that has not expired`
    case 'other_tls':
      return `the server at ${where} aborts the TLS handshake (${problem.code}): compare the TLS versions, and read its log`
    default:
      return problem satisfies never
  }
}
