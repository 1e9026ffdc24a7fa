import { isLoopback } from '../../config/address.ts'
import type { Config } from '../../config/config.ts'
import { maskUrl } from '../../config/database-url.ts'
import { formatDuration } from '../../config/duration.ts'
import { backgroundContext, type Logger } from '../../context.ts'
import {
  AUDIT_LOG_CHANGES,
  type Backend,
  type Diagnostic,
  type DialectName,
  MISSING_PRIVILEGES,
  NONE,
} from '../../stores/contract/backend.ts'
import type { AuditProtection, SchemaState } from '../../stores/contract/schema-state.ts'
import type { ClockWatch } from '../jobs/clock-watch.ts'
import type { TrustedIssuerSet } from '../trust/trusted-issuers.ts'
import { guaranteeFindings } from './examine-guarantees.ts'
import { issuerRuleFindings, registeredIssuerFindings } from './examine-issuers.ts'
import { type Finding, guarded, ok, problem, warning } from './finding.ts'

const OLDEST_POSSIBLE_NOW = Date.UTC(2025, 0, 1)
const CLOCK_TOLERANCE_MS = 5_000

/** An open database and its server's related parts. */
export interface OpenDatabase {
  readonly backend: Backend
  /** `null`: the database uses the clock of this machine. */
  readonly clock: ClockWatch | null
  readonly trustedIssuers: TrustedIssuerSet
  /** Throws if the database refers to a key that the keyring lacks. */
  checkKeys(): Promise<void>
}

/** The findings for a missing embedded database. */
export function missingDatabaseFindings(file: string): readonly Finding[] {
  return [ok('database', `${file} does not exist yet; the first start creates it`), clockFinding(null)]
}

/** How a responding database is reached. */
export function reachedFindings(config: Config): readonly Finding[] {
  const { url, embedded } = config.database
  return [ok('database', `reached ${maskUrl(url)}`), ...(embedded ? [] : [connectionsFinding(config)])]
}

/** A database without a schema. */
export function emptyDatabaseFindings({ database: { embedded } }: Config): readonly Finding[] {
  const advice = embedded ? 'none needed: the first start creates the schema' : 'run: qscope migrate up'
  return [warning('schema', 'the database is empty', advice), clockFinding(null)]
}

function connectionsFinding({ connections: { poolSize, tls }, database: { hosts, libsql } }: Config): Finding {
  const [most, away] = [`at most ${poolSize} connections`, hosts.find((host) => !isLoopback(host))]
  if (tls === null && away !== undefined) {
    return warning(
      'connections',
      `${most}, in plaintext to ${away}`,
      libsql === null ? 'set QSCOPE_DATABASE_TLS=on' : 'use an https URL',
    )
  }
  return ok('connections', `${most}, ${tls === null ? 'in plaintext on this machine' : 'over TLS'}`)
}

export function schemaFinding({ applied, serversFrom, unknown, problem: text }: SchemaState): Finding {
  const newest = applied.at(-1) ?? 'nothing'
  if (text !== null) {
    const advice = unknown.length > 0 ? 'run a newer version' : 'run: qscope migrate up'
    return problem('schema', text, advice)
  }
  const since = serversFrom === null ? '' : `, for servers from ${serversFrom} on`
  return ok('schema', `fits this version${unknown.length > 0 ? ', which is older' : ''}: at ${newest}${since}`)
}

/** The findings that need an open database: its diagnostics, health, keys, and clock. */
export async function contentFindings(
  database: OpenDatabase,
  schema: SchemaState,
  config: Config,
  log: Logger,
): Promise<readonly Finding[]> {
  const { backend, clock, trustedIssuers } = database
  const health = await backend.check()
  // A slow database would answer the many statements below only after the caller has given up.
  if (!health.serving && !health.answers) return [healthProblem(health.problem)]
  const diagnostics = await guarded('database facts', async () =>
    diagnosticFindings(backend.dialect, await backend.diagnostics(), schema.auditProtection, config),
  )
  if (!health.serving) return [...diagnostics, healthProblem(health.problem)]
  const keys = await guarded('keys', async () => {
    await database.checkKeys()
    return [ok('keys', 'the keyring has every key that the database refers to')]
  })
  const rules = await guarded('trusted issuers', async () => [
    ...(await registeredIssuerFindings(trustedIssuers, backend, config, log)),
    ...(await issuerRuleFindings(trustedIssuers, backend, log)),
  ])
  const everything = { types: [], clientId: null, userId: null, rayId: null, from: null, until: null }
  const [newest] = await backend.reads.auditLog.page(backgroundContext('doctor', log), everything, {
    after: null,
    limit: 1,
  })
  const healthy = ok('health', `${backend.dialect} reads and writes`)
  const skew = await guarded('clock', () => databaseClockFindings(clock, config))
  return [...diagnostics, healthy, ...keys, ...rules, ...skew, clockFinding(newest?.createdAt ?? null)]
}

function healthProblem(text: string): Finding {
  return problem(
    'health',
    text,
    'look it up in docs/operations.md, "Health reports NOT_SERVING"; until it is fixed, a server reports NOT_SERVING',
  )
}

/** Whether an instance on this machine would issue tokens. */
async function databaseClockFindings(
  clock: ClockWatch | null,
  { maxClockSkewMs }: Config,
): Promise<readonly Finding[]> {
  if (clock === null) return []
  await clock.compare()
  const apart = Math.round(clock.aheadMs ?? 0)
  const allowed = formatDuration(maxClockSkewMs)
  if (Math.abs(apart) <= maxClockSkewMs) return [ok('clock skew', `within ${allowed} of the database server's clock`)]
  return [
    problem(
      'clock skew',
      `this machine's clock is ${formatDuration(Math.abs(apart))} ${apart < 0 ? 'behind' : 'ahead of'} the database server's, more than ${allowed}: an instance on this machine issues no tokens`,
      'run an NTP client on both machines',
    ),
  ]
}

/** The diagnostics of a database, compared with what this process needs. */
function diagnosticFindings(
  dialect: DialectName,
  diagnostics: readonly Diagnostic[],
  protection: AuditProtection | null,
  { connections: { poolSize }, database: { hosts } }: Config,
): readonly Finding[] {
  const shown = diagnostics.filter(({ name }) => name !== AUDIT_LOG_CHANGES)
  const changes = diagnostics.find(({ name }) => name === AUDIT_LOG_CHANGES)?.value ?? NONE
  const auditLog = auditLogFinding(protection, changes)
  return [
    ...shown.map((each) => findingOf(each.name === 'max_connections' ? withPoolSizeWarning(each, poolSize) : each)),
    auditLog,
    ...guaranteeFindings({ dialect, diagnostics, hosts: hosts.length, auditLog }),
  ]
}

function findingOf({ name, value, warning: text }: Diagnostic): Finding {
  const check = `database ${name}`
  if (name === MISSING_PRIVILEGES && text !== null) return problem(check, value, text)
  return text === null ? ok(check, value) : warning(check, value, text)
}

function withPoolSizeWarning(diagnostic: Diagnostic, poolSize: number): Diagnostic {
  if (!(Number(diagnostic.value) <= poolSize)) return diagnostic
  const text = `this process alone may open ${poolSize} connections: raise max_connections, or lower QSCOPE_DATABASE_POOL_SIZE`
  return { ...diagnostic, warning: text }
}

function auditLogFinding(protection: AuditProtection | null, changes: string): Finding {
  if (protection === 'triggers') return ok('audit log', 'append-only: triggers refuse changes')
  if (changes === NONE)
    return ok('audit log', 'append-only: the database user of this process has no privilege to change it')
  return warning(
    'audit log',
    `the database user of this process has the privilege to ${changes}, and no trigger prevents it`,
    'revoke the privilege (docs/databases.md), or run: qscope migrate up --audit=triggers',
  )
}

/** `newestEvent`: the time of the newest audit event. `null`: unknown. */
function clockFinding(newestEvent: number | null): Finding {
  const now = Date.now()
  if (now < OLDEST_POSSIBLE_NOW) {
    return problem('clock', `the clock shows ${new Date(now).toISOString()}`, 'set the clock; run an NTP client')
  }
  if (newestEvent !== null && newestEvent > now + CLOCK_TOLERANCE_MS) {
    const ahead = Math.round((newestEvent - now) / 1_000)
    const advice = 'correct the clock of this machine, or of the instance that wrote the event'
    return problem('clock', `the newest audit event is ${ahead} s in the future`, advice)
  }
  return ok('clock', new Date(now).toISOString())
}
