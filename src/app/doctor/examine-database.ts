import { existsSync } from 'node:fs'
import { isLoopback } from '../../config/address.ts'
import type { Config } from '../../config/config.ts'
import { maskUrl } from '../../config/database-url.ts'
import type { Logger } from '../../logger.ts'
import type { SchemaState } from '../../stores/sql/migrate/schema-state.ts'
import { openApp, openAppKeyring, systemContext } from '../app.ts'
import { openAppMigrations } from '../open-migrations.ts'
import { databaseFactFindings } from './diagnostic-findings.ts'
import { examineClock } from './examine-clock.ts'
import { issuerRuleFindings } from './examine-issuers.ts'
import { type Finding, guarded, ok, problem, warning } from './finding.ts'

/** The database from the outside in: how it is reached, its schema, what it tells of itself, what is in it. */
export async function examineDatabase(config: Config, log: Logger): Promise<readonly Finding[]> {
  const { url, file, embedded } = config.database
  if (file !== null && !existsSync(file)) {
    return [ok('database', `${file} does not exist yet; the first start creates it`), examineClock(null)]
  }
  const state = await schemaState(config, log)
  const reached = [ok('database', `reached ${maskUrl(url)}`), ...(embedded ? [] : [connectionsFinding(config)])]
  if (state === null) {
    const advice = embedded ? 'nothing: the first start creates the schema' : 'run: qscope migrate up'
    return [...reached, warning('schema', 'the database is empty', advice), examineClock(null)]
  }
  const content = state.problem === null ? await contentFindings(config, log, state) : []
  return [...reached, schemaFinding(state), ...content]
}

/** `null`: the database is empty. */
async function schemaState(config: Config, log: Logger): Promise<SchemaState | null> {
  const migrations = await openAppMigrations(config, log)
  try {
    return (await migrations.isEmpty()) ? null : await migrations.status()
  } finally {
    await migrations.close()
  }
}

function connectionsFinding({ connections: { poolSize, tls }, database: { hosts } }: Config): Finding {
  const [most, away] = [`at most ${poolSize} connections`, hosts.find((host) => !isLoopback(host))]
  if (tls === null && away !== undefined) {
    return warning('connections', `${most}, in plaintext to ${away}`, 'set QSCOPE_DATABASE_TLS=on')
  }
  return ok('connections', `${most}, ${tls === null ? 'in plaintext on this machine' : 'over TLS'}`)
}

function schemaFinding({ applied, serversFrom, unknown, problem: misfit }: SchemaState): Finding {
  const newest = applied.at(-1) ?? 'nothing'
  if (misfit !== null) {
    const advice = unknown.length > 0 ? 'run a newer version' : 'run: qscope migrate up'
    return problem('schema', misfit, advice)
  }
  const since = serversFrom === null ? '' : `, for servers from ${serversFrom} on`
  return ok('schema', `fits this version${unknown.length > 0 ? ', which is older' : ''}: at ${newest}${since}`)
}

/** What only shows when the whole application is open: health, keys, and how time has passed. */
async function contentFindings(config: Config, log: Logger, schema: SchemaState): Promise<readonly Finding[]> {
  const app = await openApp(config, log, await openAppKeyring(config, log, 'provisional'))
  try {
    const facts = await guarded('database facts', async () =>
      databaseFactFindings(await app.backend.diagnostics(), schema.auditProtection, config),
    )
    const health = await app.backend.check()
    if (!health.serving) {
      return [...facts, problem('health', health.problem, 'a server would report NOT_SERVING until this is mended')]
    }
    const keys = await guarded('keys', async () => {
      await app.checkKeys()
      return [ok('keys', 'the keyring has every key that the database refers to')]
    })
    const rules = await guarded('trusted issuers', () => issuerRuleFindings(app, log))
    const everything = { types: [], clientId: null, userId: null, rayId: null, from: null, until: null }
    const [newest] = await app.backend.reads.auditLog.page(systemContext(log), everything, { after: null, limit: 1 })
    const healthy = ok('health', `${app.backend.dialect} reads and writes`)
    return [...facts, healthy, ...keys, ...rules, examineClock(newest?.createdAt ?? null)]
  } finally {
    await app.close()
  }
}
