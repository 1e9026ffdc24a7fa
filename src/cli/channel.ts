import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js'
import { describeObstacle, findObstacle, PLAINTEXT, type Security, type ToldBy } from '../app/doctor/probe-server.ts'
import { type Address, formatAddress, isLoopback } from '../config/address.ts'
import { encryptedKeyProblem, isEncryptedKey } from '../crypto/encrypted-key.ts'
import { messageOf } from '../message-of.ts'
import type { ConnectionOptions } from './options.ts'
import { UsageError } from './usage-error.ts'

/** Where a server is, and how the connection to it is secured. */
export interface WayToServer {
  readonly address: Address
  readonly channel: ChannelCredentials
  readonly options: ChannelOptions
  /** As the channel is, for whoever looks why no call gets through. */
  readonly security: Security
  readonly toldBy: ToldBy
}

export type SecurityOptions = Pick<ConnectionOptions, 'plaintext' | 'tls' | 'caFile' | 'certFile' | 'keyFile'>

/**
 * The way to a server that is about to receive secrets. Plaintext goes to this
 * machine only, unless the operator says otherwise.
 */
export function wayForSecrets(address: Address, options: SecurityOptions): WayToServer {
  const way = wayTo(address, options)
  if (isPlaintext(options) && !options.plaintext && !isLoopback(address.host)) {
    throw new UsageError(
      `${formatAddress(address)} is another machine, and the credentials would travel to it in plaintext: give --tls or --ca-file to encrypt them, or --plaintext to send them as they are`,
    )
  }
  return way
}

/** The way to a server that is told nothing secret. */
export function wayTo(address: Address, options: SecurityOptions): WayToServer {
  const { plaintext, caFile, certFile, keyFile } = options
  if ((certFile === undefined) !== (keyFile === undefined)) throw new UsageError('--cert-file goes with --key-file')
  const isPlain = isPlaintext(options)
  if (plaintext && !isPlain) {
    throw new UsageError('--plaintext contradicts --tls, --ca-file and --cert-file: give only one of them')
  }
  const base = { address, options: isLoopback(address.host) ? WITHOUT_PROXY : {}, toldBy: 'options' } as const
  if (isPlain) return { ...base, channel: credentials.createInsecure(), security: PLAINTEXT }
  const [ca, key, cert] = [contentOf(caFile), keyOf(keyFile), contentOf(certFile)]
  const security = { kind: 'tls', ca, key, cert, verifies: true } as const
  const channelOptions = { ...base.options, ...(isIP(address.host) !== 0 && NAMES_NO_ADDRESS) }
  return { ...base, options: channelOptions, channel: sslChannel(address.host, ca, key, cert), security }
}

/** Why no call gets through, and what to do; `null`: nothing is in the way now. */
export async function whyUnreachable({ address, security, toldBy }: WayToServer): Promise<string | null> {
  const obstacle = await findObstacle(address, security)
  return obstacle === null ? null : describeObstacle(obstacle, address, toldBy)
}

/** The certificate is held against the host that the operator gave, whatever the handshake names. */
function sslChannel(host: string, ca: Buffer | null, key: Buffer | null, cert: Buffer | null): ChannelCredentials {
  try {
    return credentials.createSsl(ca, key, cert, {
      checkServerIdentity: (_named, certificate) => checkServerIdentity(host, certificate),
    })
  } catch (error) {
    throw new UsageError(`--ca-file, --cert-file or --key-file cannot be used: ${messageOf(error)}`)
  }
}

/** RFC 6066 §3: a handshake names no address. Node.js warns of one that does. */
export const NAMES_NO_ADDRESS: ChannelOptions = Object.freeze({ 'grpc.ssl_target_name_override': 'localhost' })

/** A proxy of the environment would carry plaintext off this machine. */
export const WITHOUT_PROXY: ChannelOptions = Object.freeze({ 'grpc.enable_http_proxy': 0 })

function isPlaintext({ tls, caFile, certFile }: SecurityOptions): boolean {
  return !tls && caFile === undefined && certFile === undefined
}

function keyOf(path: string | undefined): Buffer | null {
  const key = contentOf(path)
  if (path !== undefined && key !== null && isEncryptedKey(key)) throw new UsageError(encryptedKeyProblem(path))
  return key
}

function contentOf(path: string | undefined): Buffer | null {
  if (path === undefined) return null
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}
