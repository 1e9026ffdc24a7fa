import { readFileSync } from 'node:fs'
import { type ChannelCredentials, credentials } from '@grpc/grpc-js'
import { PLAINTEXT, type Security } from '../app/doctor/probe-server.ts'
import type { Config } from '../config/config.ts'
import type { TlsConfig } from '../config/rules.ts'
import { NAMES_NO_ADDRESS, type WayToServer, WITHOUT_PROXY } from './channel.ts'
import { UsageError } from './usage-error.ts'

const ANYWHERE: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** The way from beside it to the server that this environment configures. */
export function ownServer({ grpcListen: { host, port }, tls }: Config): WayToServer {
  if (port === 0) throw new UsageError('QSCOPE_GRPC_LISTEN leaves the port open: give --server')
  const security = securityOf(tls)
  return {
    address: { host: ANYWHERE.get(host) ?? host, port },
    channel: channelOf(security),
    options: { ...WITHOUT_PROXY, ...(tls !== null && NAMES_NO_ADDRESS) },
    security,
    toldBy: 'environment',
  }
}

/**
 * The certificate is for the name by which others call, and may just have been
 * renewed: it is not verified. Nothing secret is sent, and the address is the
 * server's own.
 */
function securityOf(tls: TlsConfig | null): Security {
  if (tls === null) return PLAINTEXT
  // Where the server insists on a certificate, its own is the one at hand.
  const shown = tls.clientAuth === 'require' ? tls : null
  const key = shown === null ? null : readFileSync(shown.keyFile)
  const cert = shown === null ? null : readFileSync(shown.certFile)
  return { kind: 'tls', ca: null, key, cert, verifies: false }
}

function channelOf(security: Security): ChannelCredentials {
  return security.kind === 'plaintext'
    ? credentials.createInsecure()
    : credentials.createSsl(null, security.key, security.cert, { rejectUnauthorized: false })
}
