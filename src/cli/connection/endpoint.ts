import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js'
import {
  describeConnectionProblem,
  PLAINTEXT,
  probeServer,
  type Security,
  type SecuritySource,
} from '../../app/doctor/probe-server.ts'
import { type Address, formatAddress, isLoopback } from '../../config/address.ts'
import type { Config } from '../../config/config.ts'
import type { TlsConfig } from '../../config/rules.ts'
import { messageOf } from '../../message-of.ts'
import { encryptedKeyProblem, isEncryptedKey } from '../../transports/tls.ts'
import { type ConnectionOptions, UsageError } from '../options/options.ts'

/** The address of a server, and the security of the connection to it. */
export interface ServerEndpoint {
  readonly address: Address
  readonly channel: ChannelCredentials
  readonly options: ChannelOptions
  /** The security of the channel, for finding the reason why calls fail. */
  readonly security: Security
  readonly securitySource: SecuritySource
}

export type SecurityOptions = Pick<ConnectionOptions, 'plaintext' | 'tls' | 'caFile' | 'certFile' | 'keyFile'>

/** A proxy from the environment would send plaintext off this machine. */
const WITHOUT_PROXY: ChannelOptions = Object.freeze({ 'grpc.enable_http_proxy': 0 })

/** RFC 6066 §3: a handshake contains no IP address as server name. Node.js warns if it does. */
const WITHOUT_ADDRESS_AS_NAME: ChannelOptions = Object.freeze({ 'grpc.ssl_target_name_override': 'localhost' })

/** The loopback addresses for servers that listen on every address. */
const LOOPBACK_OF: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/**
 * The endpoint of a server that will receive credentials. Plaintext is allowed only to this machine, unless the
 * operator allows it.
 */
export function endpointForCredentials(address: Address, options: SecurityOptions): ServerEndpoint {
  const endpoint = endpointAt(address, options)
  if (isPlaintext(options) && !options.plaintext && !isLoopback(address.host)) {
    throw new UsageError(
      `${formatAddress(address)} is another machine, and the credentials would be sent to it in plaintext: give --tls or --ca-file to encrypt the connection, or --plaintext to allow it`,
    )
  }
  return endpoint
}

/** The endpoint of a server that receives no secrets. */
export function endpointAt(address: Address, options: SecurityOptions): ServerEndpoint {
  const { plaintext, caFile, certFile, keyFile } = options
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new UsageError('give --cert-file and --key-file together')
  const isPlain = isPlaintext(options)
  if (plaintext && !isPlain) {
    throw new UsageError('--plaintext contradicts --tls, --ca-file and --cert-file: give only one of them')
  }
  const base = { address, options: isLoopback(address.host) ? WITHOUT_PROXY : {}, securitySource: 'options' } as const
  if (isPlain) return { ...base, channel: credentials.createInsecure(), security: PLAINTEXT }
  const [ca, key, cert] = [readOption(caFile), readKey(keyFile), readOption(certFile)]
  const security = { kind: 'tls', ca, key, cert, verifies: true } as const
  const channelOptions = { ...base.options, ...(isIP(address.host) !== 0 && WITHOUT_ADDRESS_AS_NAME) }
  return { ...base, options: channelOptions, channel: tlsChannel(address.host, ca, key, cert), security }
}

/** The local endpoint of the server that this environment configures. */
export function configuredEndpoint({ grpcListen: { host, port }, tls }: Config): ServerEndpoint {
  if (port === 0) throw new UsageError('QSCOPE_GRPC_LISTEN has no fixed port: give --server')
  const security = configuredSecurity(tls)
  return {
    address: { host: LOOPBACK_OF.get(host) ?? host, port },
    channel:
      security.kind === 'plaintext'
        ? credentials.createInsecure()
        : credentials.createSsl(null, security.key, security.cert, { rejectUnauthorized: false }),
    options: { ...WITHOUT_PROXY, ...(tls !== null && WITHOUT_ADDRESS_AS_NAME) },
    security,
    securitySource: 'environment',
  }
}

/** The reason why calls fail, and the remedy. `null`: no problem was found. */
export async function whyUnreachable({ address, security, securitySource }: ServerEndpoint): Promise<string | null> {
  const problem = await probeServer(address, security)
  return problem === null ? null : describeConnectionProblem(problem, address, securitySource)
}

/**
 * The certificate is issued for the public name, and may just have been renewed, so it is not verified. No secret is
 * sent, and the address is the server's own.
 */
function configuredSecurity(tls: TlsConfig | null): Security {
  if (tls === null) return PLAINTEXT
  // If the server requires a client certificate, its own certificate is used.
  const shown = tls.clientAuth === 'require' ? tls : null
  const key = shown === null ? null : readFileSync(shown.keyFile)
  const cert = shown === null ? null : readFileSync(shown.certFile)
  return { kind: 'tls', ca: null, key, cert, verifies: false }
}

/** The certificate is verified against the host that the operator gave, whatever the handshake names. */
function tlsChannel(host: string, ca: Buffer | null, key: Buffer | null, cert: Buffer | null): ChannelCredentials {
  try {
    return credentials.createSsl(ca, key, cert, {
      checkServerIdentity: (_named, certificate) => checkServerIdentity(host, certificate),
    })
  } catch (error) {
    throw new UsageError(`--ca-file, --cert-file or --key-file cannot be used: ${messageOf(error)}`)
  }
}

function isPlaintext({ tls, caFile, certFile }: SecurityOptions): boolean {
  return !tls && caFile === undefined && certFile === undefined
}

function readKey(path: string | undefined): Buffer | null {
  const key = readOption(path)
  if (path !== undefined && key !== null && isEncryptedKey(key)) throw new UsageError(encryptedKeyProblem(path))
  return key
}

function readOption(path: string | undefined): Buffer | null {
  if (path === undefined) return null
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}
