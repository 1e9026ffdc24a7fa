import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import type { App } from '../../app/app.ts'
import { assertDatabaseExists } from '../../app/database.ts'
import type { PurgeRound } from '../../app/jobs/purge.ts'
import { openKeyring } from '../../app/keyring.ts'
import { formatDuration } from '../../config/duration.ts'
import { PURGE_KINDS, type PurgeKind } from '../../domain/expiry.ts'
import { openLog, readConfig } from '../connection/environment.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { Output } from '../output/output.ts'

/** Longer than a purge round of a server, and than the lease of a server that died. */
const LONGEST_WAIT_MS = 120_000
const RETRY_INTERVAL_MS = 250

const JSON_NAMES: Readonly<Record<PurgeKind, string>> = Object.freeze({
  access_tokens: 'accessTokens',
  grants: 'grants',
  device_authorizations: 'deviceAuthorizations',
  assertion_ids: 'assertionIds',
  revocations: 'revocations',
  scope_usage: 'scopeUsage',
})

export function purgeCommand(): Command {
  return withOutput(new Command('purge'))
    .description('delete rows of the configured database that expired more than QSCOPE_PURGE_RETENTION ago')
    .action(async (options: OutputOptions) => {
      const { round, erasedReplays, retentionMs } = await purgeHere()
      const output = new Output(options)
      output.answer({
        document: () => ({
          deleted: Object.fromEntries(PURGE_KINDS.map((kind) => [JSON_NAMES[kind], round.deleted[kind]])),
          erasedReplays,
          complete: round.complete,
        }),
        text: () =>
          [
            output.table(
              [
                { heading: 'WHAT', value: (kind) => kind.replace('_', ' ') },
                { heading: 'DELETED', value: (kind) => String(round.deleted[kind]) },
              ],
              PURGE_KINDS,
            ),
            `ended more than ${formatDuration(retentionMs)} ago; ${erasedReplays} answers to refreshes erased`,
          ].join('\n'),
        names: () => PURGE_KINDS.filter((kind) => round.deleted[kind] > 0),
      })
      if (!round.complete) throw new Error('the purge is not complete, because another process took over; run it again')
    })
}

async function purgeHere() {
  const config = readConfig()
  const log = openLog(config, { quiet: true })
  assertDatabaseExists(config)
  const { openApp } = await import('../../app/app.ts')
  const app = await openApp(config, log, await openKeyring(config, log, 'provisional'))
  try {
    const health = await app.backend.check()
    if (!health.serving) throw new Error(health.problem)
    await app.purge.sweep()
    const round = await purgeRound(app)
    return { round, erasedReplays: app.purge.metrics().erasedReplays, retentionMs: config.purgeRetentionMs }
  } finally {
    await app.close()
  }
}

/** Waits for a round that a server may be running. */
async function purgeRound(app: App): Promise<PurgeRound> {
  for (const until = Date.now() + LONGEST_WAIT_MS; Date.now() < until; await sleep(RETRY_INTERVAL_MS)) {
    const round = await app.purge.round(Number.POSITIVE_INFINITY)
    if (round !== null) return round
  }
  throw new Error('another process is purging; try again later')
}
