import { type Address, formatAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import { maskUrl } from '../config/database-url.ts'
import type { Log } from '../log/create-log.ts'
import { printableLines } from '../printable.ts'
import type { FirstAdmin } from './first-admin.ts'
import { startupBanner } from './startup-banner.ts'

export interface Announcement {
  /** As bound. */
  readonly address: Address
  /** As bound; `null`: there is no port for HTTP. */
  readonly httpAddress: Address | null
  /** Just made; its secret is shown here and never again. */
  readonly admin: FirstAdmin | null
  /** The database is new and has no admin client yet. */
  readonly needsAdmin: boolean
}

/** Tells the log and the operator that calls are answered. */
export function printStartupBanner(config: Config, log: Log, announcement: Announcement): void {
  const { admin, needsAdmin } = announcement
  const address = formatAddress(announcement.address)
  const httpAddress = announcement.httpAddress && formatAddress(announcement.httpAddress)
  const { tls, database, issuer, workers } = config
  log.info({ address, httpAddress, tls: tls !== null, database: maskUrl(database.url), issuer, workers }, 'listening')
  process.stdout.write(printableLines(startupBanner({ address, httpAddress, config, admin, needsAdmin })))
}
