import type { Config } from '../config/config.ts'
import { uuidV7 } from '../crypto/random.ts'
import type { Logger } from '../logger.ts'
import { openTelemetry, type Telemetry } from '../telemetry/open-telemetry.ts'
import { ownVersion } from './version.ts'

/** Opens the telemetry of a server of this configuration. */
export async function openAppTelemetry({ tracing, database }: Config, log: Logger): Promise<Telemetry> {
  const instanceId = uuidV7()
  return await openTelemetry({ tracing, databaseUrl: database.url, version: ownVersion(), instanceId, log })
}
