import { type App, helpBaseOf } from '../app.ts'
import type { Config } from '../config/config.ts'
import { uuidV7 } from '../crypto/random.ts'
import { createHttpServer, type HttpServer } from '../http/server.ts'
import type { Logger } from '../logger.ts'
import type { TlsFiles } from './tls-files.ts'

/** The HTTP port of an application, not yet open; `null` where it is off. */
export function openHttpServer(
  config: Config,
  { pipeline, state }: Pick<App, 'pipeline' | 'state'>,
  tls: TlsFiles | null,
  log: Logger,
): HttpServer | null {
  if (config.http === null) return null
  const { maxMessageBytes } = config
  return createHttpServer({
    listen: config.http.listen,
    pipeline,
    state,
    log,
    newRayId: uuidV7,
    helpBase: helpBaseOf(config),
    limits: { maxMessageBytes },
    tls,
  })
}
