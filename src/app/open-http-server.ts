import type { Config } from '../config/config.ts'
import { ASSERTION_ALGORITHMS } from '../crypto/key-set.ts'
import { uuidV7 } from '../crypto/random.ts'
import type { Logger } from '../logger.ts'
import type { Exposition } from '../telemetry/metrics.ts'
import type { HttpServer } from '../transports/http/server.ts'
import { type App, helpBaseOf, httpUrlOf } from './app.ts'
import type { TlsFiles } from './tls-files.ts'

export interface HttpServerDependencies {
  readonly config: Config
  readonly app: Pick<App, 'pipeline' | 'state' | 'incoming' | 'trustedIssuers'>
  readonly tls: TlsFiles | null
  readonly log: Logger
  readonly metrics: () => Promise<Exposition>
}

/** The HTTP port of an application, not yet open; `null` where it is off: then its libraries are not loaded either. */
export async function openHttpServer({
  config,
  app,
  tls,
  log,
  metrics,
}: HttpServerDependencies): Promise<HttpServer | null> {
  const { pipeline, state, incoming, trustedIssuers } = app
  if (config.http === null) return null
  const { HttpServer } = await import('../transports/http/server.ts')
  const { http } = config
  const { listen, allowedOrigins } = http
  const { maxMessageBytes, issuer } = config
  return new HttpServer({
    listen,
    urlAt: (port) => httpUrlOf(http, config.tls, port),
    capabilities: {
      issuer,
      // They may be replaced while it runs.
      get assertionGrant() {
        return trustedIssuers.byIssuer.size > 0
      },
      assertionAlgorithms: ASSERTION_ALGORITHMS,
      clientCertificates: config.tls?.clientAuth ?? 'none',
      clientCa: config.tls !== null && config.tls.clientCaFile !== null,
    },
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
