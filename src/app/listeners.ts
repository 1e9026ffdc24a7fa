import { createServer } from 'node:net'
import { type Address, formatAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import type { HttpConfig, TlsConfig } from '../config/rules.ts'
import type { Logger } from '../context.ts'
import { ASSERTION_ALGORITHMS } from '../crypto/key-set.ts'
import { uuidV7 } from '../crypto/random.ts'
import { SIGNING_ALGORITHMS } from '../domain/signing-key.ts'
import type { IncomingMessages } from '../rpc/incoming-messages.ts'
import type { Pipeline } from '../rpc/pipeline.ts'
import type { ServerCapabilities } from '../rpc/server-metadata.ts'
import type { ServingState } from '../rpc/serving-state.ts'
import type { Exposition } from '../telemetry/metrics.ts'
import type { GrpcLimits } from '../transports/grpc/limits.ts'
import type { HttpServer } from '../transports/http/server.ts'
import { readConsole } from './console.ts'
import type { TlsFiles } from './trust/tls-files.ts'

const PROTOCOLS = Object.freeze({ QSCOPE_GRPC_LISTEN: 'gRPC', QSCOPE_HTTP_LISTEN: 'HTTP' })

/** The address of a variable. Port 0 is replaced by a free port. Throws an error of one line if the address cannot be used. */
export async function assertPortFree(variable: keyof typeof PROTOCOLS, address: Address): Promise<Address> {
  const { promise, resolve, reject } = Promise.withResolvers<Address>()
  const probe = createServer()
  probe.once('error', (error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EADDRINUSE' ? 'the address is already in use' : error.message
    const remedy = `set ${variable} to a free port of an address of this machine`
    reject(
      new Error(`${PROTOCOLS[variable]} cannot listen on ${formatAddress(address)}: ${reason}; ${remedy}`, {
        cause: error,
      }),
    )
  })
  probe.listen({ host: address.host, port: address.port }, () => {
    const bound = probe.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
    probe.close(() => resolve({ ...address, port }))
  })
  return await promise
}

/** The configured limits of a gRPC connection. */
export function grpcLimitsOf(config: Config): Partial<GrpcLimits> {
  const { maxMessageBytes, maxConcurrentStreams, maxConnectionAgeMs, keepaliveTimeMs } = config
  return { maxMessageBytes, maxConcurrentStreams, maxConnectionAgeMs, keepaliveTimeMs }
}

/**
 * The URL of the documentation of errors: the configured page, or else the page
 * that the HTTP port serves. `undefined`: callers can reach no such page. The port
 * must be known.
 */
export function helpBaseOf({ errorDocsUrl, http, tls }: Config): string | undefined {
  if (errorDocsUrl !== null) return errorDocsUrl
  return http === null ? undefined : `${httpUrlOf(http, tls, http.listen.port)}/docs/errors`
}

/** The URL of the HTTP port, which must be known. `null`: the port is off. */
export function httpBaseOf({ http, tls }: Config): string | null {
  return http === null ? null : httpUrlOf(http, tls, http.listen.port)
}

/** The capabilities in the metadata of the server. */
export function capabilitiesOf({ issuer, http, tls }: Config): ServerCapabilities {
  return {
    issuer,
    oauth: http?.oauth ?? false,
    assertionAlgorithms: ASSERTION_ALGORITHMS,
    signingAlgorithms: SIGNING_ALGORITHMS,
    clientCertificates: tls?.clientAuth ?? 'none',
    clientCa: tls !== null && tls.clientCaFile !== null,
  }
}

/** The URL of the HTTP port for callers. */
function httpUrlOf({ listen, url }: HttpConfig, tls: TlsConfig | null, port: number): string {
  return url ?? `${tls === null ? 'http' : 'https'}://${formatAddress({ host: listen.host, port })}`
}

export interface HttpServerDependencies {
  readonly config: Config
  readonly app: {
    readonly pipeline: Pipeline
    readonly state: ServingState
    readonly incoming: IncomingMessages
  }
  readonly tls: TlsFiles | null
  readonly log: Logger
  readonly metrics: () => Promise<Exposition>
}

/** The HTTP server of an application, not yet listening. `null`: the port is off, and its libraries are not loaded. */
export async function openHttpServer({
  config,
  app,
  tls,
  log,
  metrics,
}: HttpServerDependencies): Promise<HttpServer | null> {
  const { pipeline, state, incoming } = app
  if (config.http === null) return null
  const { HttpServer } = await import('../transports/http/server.ts')
  const { http, maxMessageBytes } = config
  const { listen, allowedOrigins } = http
  return new HttpServer({
    consoleFiles: http.console ? await readConsole() : [],
    listen,
    socket: config.sockets.http,
    urlAt: (port) => httpUrlOf(http, config.tls, port),
    capabilities: capabilitiesOf(config),
    allowedOrigins,
    metrics,
    pipeline,
    state,
    log,
    newRayId: uuidV7,
    helpBase: helpBaseOf(config),
    limits: { maxMessageBytes },
    incoming,
    tls,
  })
}
