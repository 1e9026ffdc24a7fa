import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, resolve } from 'node:path'
import { openApp, openAppKeyring, systemContext } from '../app.ts'
import { type Address, formatAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import { maskUrl } from '../config/database-url.ts'
import { readKeyringFile } from '../crypto/keyring-file.ts'
import type { Logger } from '../logger.ts'
import { openMigrations } from '../stores/open.ts'

/** What was looked at, what was found, and what to do about it. */
export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warning' | 'problem'
  readonly finding: string
  /** `null` where nothing is to be done. */
  readonly advice: string | null
}

const EPOCH_OF_THIS_CODE = Date.UTC(2025, 0, 1)
const CLOCK_TOLERANCE_MS = 5_000
const MEBIBYTE = 1_048_576
const FREE_PROBLEM = 16 * MEBIBYTE
const FREE_WARNING = 256 * MEBIBYTE
const CONNECT_MS = 1_000

const ok = (check: string, finding: string): Finding => ({ check, state: 'ok', finding, advice: null })
const warning = (check: string, finding: string, advice: string): Finding => ({
  check,
  state: 'warning',
  finding,
  advice,
})
const problem = (check: string, finding: string, advice: string): Finding => ({
  check,
  state: 'problem',
  finding,
  advice,
})

/** Examines what a server with this configuration would meet. Changes nothing. */
export async function examine(config: Config, log: Logger): Promise<readonly Finding[]> {
  const findings = config.warnings.map((text) => warning('configuration', text, 'correct or unset the variable'))
  if (findings.length === 0) findings.push(ok('configuration', 'every variable is understood'))
  findings.push(...(await guarded('keyring', () => keyringFindings(config))))
  findings.push(...(await guarded('database', () => databaseFindings(config, log))))
  findings.push(...(await guarded('disk', () => diskFindings(config))))
  findings.push(...(await guarded('listener', () => listenerFindings(config.grpcListen))))
  return findings
}

/** An examination that breaks off is a finding too. */
async function guarded(check: string, look: () => Promise<readonly Finding[]> | readonly Finding[]) {
  try {
    return await look()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return [problem(check, text.split('\n', 1).join(''), 'see the message, and the log for more')]
  }
}

function keyringFindings({ keyringFile }: Config): readonly Finding[] {
  if (keyringFile === null) {
    return [warning('keyring', 'drawn in memory, dies with the process', 'set QSCOPE_KEYRING_FILE to keep it')]
  }
  const file = readKeyringFile(keyringFile)
  if (file === null) return [ok('keyring', `${keyringFile} does not exist yet; the first start creates it`)]
  if (file.warning !== null) return [warning('keyring', 'others may read it', file.warning)]
  return [ok('keyring', `${keyringFile}, active pepper ${file.material.pepper.active}`)]
}

async function databaseFindings(config: Config, log: Logger): Promise<readonly Finding[]> {
  const { url, file, embedded } = config.database
  if (file !== null && !existsSync(file)) {
    return [ok('database', `${file} does not exist yet; the first start creates it`), clockFinding(null)]
  }
  const reached = ok('database', `reached ${maskUrl(url)}`)
  const migrations = await openMigrations(url, log)
  try {
    if (await migrations.isEmpty()) {
      const advice = embedded ? 'nothing: the first start creates the schema' : 'run: qscope migrate up'
      return [reached, warning('schema', 'the database is empty', advice), clockFinding(null)]
    }
    const { pending, unknown } = await migrations.status()
    if (unknown.length > 0) {
      return [reached, problem('schema', `newer than this version (${unknown.join(', ')})`, 'run a newer version')]
    }
    if (pending.length > 0) return [reached, problem('schema', `lacks ${pending.join(', ')}`, 'run: qscope migrate up')]
  } finally {
    await migrations.close()
  }
  return [reached, ok('schema', 'fits this version'), ...(await contentFindings(config, log))]
}

/** What only shows when the whole application is open: health, keys, and how time has passed. */
async function contentFindings(config: Config, log: Logger): Promise<readonly Finding[]> {
  const app = await openApp(config, log, await openAppKeyring(config, log))
  try {
    const health = await app.backend.check()
    if (!health.serving)
      return [problem('health', health.problem, 'a server would report NOT_SERVING until this is mended')]
    const keys = await guarded('keys', async () => {
      await app.checkKeys()
      return [ok('keys', 'the keyring has every key that the database refers to')]
    })
    const everything = { types: [], clientId: null, userId: null, rayId: null, from: null, until: null }
    const [newest] = await app.backend.reads.auditLog.page(systemContext(log), everything, { after: null, limit: 1 })
    return [ok('health', `${app.backend.dialect} reads and writes`), ...keys, clockFinding(newest?.createdAt ?? null)]
  } finally {
    await app.close()
  }
}

function clockFinding(newestEvent: number | null): Finding {
  const now = Date.now()
  if (now < EPOCH_OF_THIS_CODE) {
    return problem('clock', `the clock says ${new Date(now).toISOString()}`, 'set the clock; run an NTP client')
  }
  if (newestEvent !== null && newestEvent > now + CLOCK_TOLERANCE_MS) {
    const ahead = Math.round((newestEvent - now) / 1_000)
    return problem(
      'clock',
      `the newest audit event lies ${ahead} s in the future`,
      'compare the clocks of all instances',
    )
  }
  return ok('clock', new Date(now).toISOString())
}

async function diskFindings({ database: { file } }: Config): Promise<readonly Finding[]> {
  if (file === null) return []
  let folder = dirname(resolve(file))
  while (!existsSync(folder)) folder = dirname(folder)
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const finding = `${Math.round(free / MEBIBYTE)} MiB free at ${folder}`
  if (free < FREE_PROBLEM) return [problem('disk', finding, 'free some space before the database stops writing')]
  return [free < FREE_WARNING ? warning('disk', finding, 'free some space soon') : ok('disk', finding)]
}

async function listenerFindings(listen: Address): Promise<readonly Finding[]> {
  const shown = formatAddress(listen)
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host
  const { promise, resolve: answer } = Promise.withResolvers<boolean>()
  const socket = connect({ host, port: listen.port, timeout: CONNECT_MS })
  socket
    .once('connect', () => answer(true))
    .once('error', () => answer(false))
    .once('timeout', () => answer(false))
  const taken = await promise
  socket.destroy()
  return [ok('listener', taken ? `something listens on ${shown} already` : `${shown} is free; no server runs there`)]
}
