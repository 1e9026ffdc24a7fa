import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '../../src/gen/grpc/health/v1/health_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type Connection, connect, Refused, refusalOf, type Sent } from '../setup/client.ts'
import { canFreeze, canMount, fill, freeze, makeReadOnly, smallFileSystem } from './file-systems.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

const { introspectToken, mintToken, verifyToken } = TokenService.method
const ENVIRONMENT = { QSCOPE_GRPC_LISTEN: '127.0.0.1:0', QSCOPE_DATABASE_URL: 'sqlite:./qscope.db' }
const NO_DEADLINE = Number.POSITIVE_INFINITY
const PAGE_BYTES = 4_096

interface Start {
  /** The admin's secret, if a server was started before in the same directory. */
  readonly secret?: string
}

async function started(directory: string, { secret }: Start = {}) {
  const server = qscope(directory, ['serve'], ENVIRONMENT)
  const [, address = ''] = await server.until(/listens on (\S+)/)
  const connection = connect(address)
  onTestFinished(() => connection.close())
  const value = secret ?? /client secret {2}(\S+)/.exec(server.stdout)?.[1] ?? ''
  const client = { clientId: 'admin', method: { case: 'clientSecret' as const, value } }
  const { call } = connection
  return {
    server,
    secret: value,
    client,
    call,
    file: join(directory, 'qscope.db'),
    mint: async (sent?: Sent) => (await call(mintToken, { client }, sent)).token?.accessToken ?? '',
    isActive: async (token: string) => (await call(introspectToken, { client, token })).active,
    health: () => healthOf(connection),
    /** The lines of the log that contain the text. */
    logged: (text: string) => linesOf(server.stderr).filter((line) => line.includes(text)),
    stop: async () => {
      server.child.kill('SIGTERM')
      return await server.ended
    },
  }
}

async function healthOf(connection: Connection): Promise<Serving> {
  return (await connection.call(Health.method.check, {})).status
}

/** Waits until the server has the expected state. */
async function eventually<T>(look: () => Promise<T> | T, wanted: T): Promise<void> {
  for (const until = Date.now() + 15_000; ; await sleep(50)) {
    const seen = await look()
    if (seen === wanted) return
    if (Date.now() > until) expect(seen).toBe(wanted)
  }
}

/** Locks the database like another process; returns the release. */
function lock(file: string): () => void {
  const database = new Sqlite(file)
  onTestFinished(() => void database.close())
  database.exec('begin exclusive')
  return () => void database.exec('rollback')
}

/** Counts the tokens in the file; each has an event, and each event a token. */
function issued(file: string): number {
  const database = new Sqlite(file, { readonly: true })
  try {
    const count = (sql: string) => Number(database.prepare<[], number>(sql).pluck().get())
    const tokens = count('select count(*) from oauth_access_tokens')
    const events = count(`select count(*) from oauth_audit_log where event_type = 'token.issued'`)
    const pairs = count('select count(*) from oauth_access_tokens join oauth_audit_log using (token_id)')
    expect({ events, pairs }).toEqual({ events: tokens, pairs: tokens })
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
    return tokens
  } finally {
    database.close()
  }
}

/** Corrupts pages: the roots of a table and its indexes, or all but the first. */
function ruin(file: string, what: 'everything' | { readonly table: string }): void {
  const database = new Sqlite(file)
  database.pragma('wal_checkpoint(TRUNCATE)')
  const count = Number(database.pragma('page_count', { simple: true }))
  const pages =
    what === 'everything'
      ? Array.from({ length: count - 1 }, (_, index) => index + 2)
      : database
          .prepare<[string], number>('select rootpage from sqlite_schema where rootpage > 0 and tbl_name = ?')
          .pluck()
          .all(what.table)
  database.close()
  expect(pages.length).toBeGreaterThan(1)
  const descriptor = openSync(file, 'r+')
  for (const page of pages)
    writeSync(descriptor, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, (page - 1) * PAGE_BYTES)
  closeSync(descriptor)
}

const linesOf = (text: string) => text.trim().split('\n')

function expectUnavailable(refusal: Refused): void {
  expect(refusal).toMatchObject({ status: 'UNAVAILABLE', reason: 'OAUTH_TEMPORARILY_UNAVAILABLE' })
  expect(refusal.details.retry?.retryDelay).toBeDefined()
}

describe('a database that another process has locked', () => {
  it('delays a mint until the lock is released, but not look-ups and health checks', async () => {
    const { mint, isActive, health, file } = await started(await temporaryDirectory())
    const token = await mint()
    const release = lock(file)
    let minted = false
    const waiting = mint().finally(() => {
      minted = true
    })
    // Longer than SQLite waits for a lock.
    for (let looks = 0; looks < 10; looks += 1) {
      expect(await isActive(token)).toBe(true)
      expect([Serving.SERVING, Serving.NOT_SERVING]).toContain(await health())
      await sleep(50)
    }
    expect(minted).toBe(false)
    release()
    expect(await isActive(await waiting)).toBe(true)
    expect(issued(file)).toBe(2)
  })

  it("ends a mint at its deadline, or at the server's time limit, with nothing written", async () => {
    const { mint, health, isActive, file } = await started(await temporaryDirectory())
    const token = await mint()
    const release = lock(file)
    const refusals = [refusalOf(mint({ deadlineMs: 700 })), refusalOf(mint({ deadlineMs: NO_DEADLINE }))] as const
    const [late, tired] = await Promise.all(refusals)
    if (late.status !== 'DEADLINE_EXCEEDED') expectUnavailable(late)
    expectUnavailable(tired)
    await eventually(health, Serving.NOT_SERVING)
    expect(await isActive(token)).toBe(true)
    release()
    await eventually(health, Serving.SERVING)
    await mint()
    expect(issued(file)).toBe(2)
  })
})

describe.runIf(canFreeze)('a database file that turns read-only while it is served', () => {
  it('refuses writes, answers look-ups, reports it in health, and recovers when it is writable again', async () => {
    const { mint, isActive, health, logged, file, stop } = await started(await temporaryDirectory())
    const token = await mint()
    const thaw = freeze([file, `${file}-wal`])
    onTestFinished(thaw)
    expectUnavailable(await refusalOf(mint()))
    expect(await isActive(token)).toBe(true)
    await eventually(health, Serving.NOT_SERVING)
    expectUnavailable(await refusalOf(mint()))
    thaw()
    await eventually(health, Serving.SERVING)
    expect(await isActive(await mint())).toBe(true)
    expect(issued(file)).toBe(2)
    await stop()
    expect(logged('not serving: the database').length).toBe(1)
    expect(logged('serving again').length).toBe(1)
  })
})

describe.runIf(canMount)('a disk that is full', () => {
  it('refuses writes with one clear line each, leaves no partial writes, and recovers when there is space', async () => {
    const directory = await smallFileSystem('8m')
    const { mint, isActive, health, logged, file, stop } = await started(directory)
    const token = await mint()
    const free = fill(directory)
    // Free space in the write-ahead log may still take a few writes.
    let written = 1
    const refusal = await (async () => {
      for (; written < 1_000; written += 1) {
        const outcome = await mint().catch((error: unknown) => error)
        if (outcome instanceof Refused) return outcome
      }
      throw new Error('the disk never was full')
    })()
    expectUnavailable(refusal)
    expect(await isActive(token)).toBe(true)
    await eventually(health, Serving.NOT_SERVING)
    expectUnavailable(await refusalOf(mint()))
    await eventually(() => logged(refusal.rayId ?? '?').filter((line) => line.includes('no space left')).length, 1)
    free()
    await eventually(health, Serving.SERVING)
    expect(await isActive(await mint())).toBe(true)
    expect(issued(file)).toBe(written + 1)
    expect(await stop()).toEqual({ code: 0, signal: null })
  })
})

describe('a database that is corrupt', () => {
  it('is rejected at the start, in one line with the remedy', async () => {
    const directory = await temporaryDirectory()
    const { mint, stop, file } = await started(directory)
    await mint()
    await stop()
    ruin(file, 'everything')
    const { code, stdout, stderr } = await run(directory, ['serve'], ENVIRONMENT)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(linesOf(stderr)).toEqual([expect.stringContaining('qscope.db is corrupt: restore it from a backup')])
  })

  it('answers with server_error and NOT_SERVING while it is served, and the process continues', async () => {
    const { server, mint, health, logged, client, call, file } = await started(await temporaryDirectory())
    const token = await mint()
    // The tables that the health check uses stay intact.
    ruin(file, { table: 'oauth_access_tokens' })
    const refusal = await refusalOf(call(introspectToken, { client, token }))
    expect(refusal).toMatchObject({ status: 'INTERNAL', reason: 'OAUTH_SERVER_ERROR' })
    expect(refusal.message).not.toContain('corrupt')
    await eventually(health, Serving.NOT_SERVING)
    await eventually(() => logged('not serving').length, 1)
    expect(logged('not serving')).toEqual([expect.stringContaining('restore it from a backup')])
    expect((await refusalOf(mint())).reason).toBe('OAUTH_SERVER_ERROR')
    expect(server.child.exitCode).toBe(null)
  })
})

describe.runIf(canMount)('a directory that cannot be written', () => {
  it('does not start an empty one: one line states the reason', async () => {
    const directory = await smallFileSystem('1m')
    makeReadOnly(directory)
    const { code, stdout, stderr } = await run(directory, ['serve'], ENVIRONMENT)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(linesOf(stderr)).toEqual([
      expect.stringMatching(/the keyring file .*qscope\.keyring\.json cannot be created \(EROFS\)$/),
    ])
  })

  it('does not start one that contains a database: one line states the reason', async () => {
    const directory = await smallFileSystem('8m')
    const first = await started(directory)
    await first.stop()
    makeReadOnly(directory)
    const { code, stdout, stderr } = await run(directory, ['serve'], ENVIRONMENT)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(linesOf(stderr)).toEqual([
      expect.stringMatching(/qscope\.db cannot be opened: its file system is read-only$/),
    ])
  })
})

describe('a schema that a newer version has changed', () => {
  it('is not changed: the server starts, states the remedy, and refuses calls until it matches', async () => {
    const directory = await temporaryDirectory()
    const first = await started(directory)
    const token = await first.mint()
    await first.stop()
    const change = (sql: string) => {
      const database = new Sqlite(first.file)
      database.exec(sql)
      database.close()
    }
    change(`insert into qscope_migrations (name, applied_at) values ('9999_from_the_future', 4070908800000);
      update qscope_schema set servers_from = '9999_from_the_future'`)

    const { mint, isActive, health, logged } = await started(directory, first)
    expect(await health()).toBe(Serving.NOT_SERVING)
    expectUnavailable(await refusalOf(mint()))
    expectUnavailable(await refusalOf(isActive(token)))
    await eventually(() => logged('not serving').length, 1)
    expect(logged('not serving')).toEqual([expect.stringMatching(/newer.*9999_from_the_future.*run a newer server/)])

    change(`delete from qscope_migrations where name = '9999_from_the_future';
      update qscope_schema set servers_from = (select max(name) from qscope_migrations)`)
    await eventually(health, Serving.SERVING)
    expect(await isActive(token)).toBe(true)
    expect(issued(first.file)).toBe(1)
  })
})

describe('a server asked to stop', () => {
  it('answers every call it has accepted, and ends with exit code 0', async () => {
    const directory = await temporaryDirectory()
    const { server, mint, file } = await started(directory)
    let answered = 0
    const refusals: string[] = []
    const callers = Array.from({ length: 64 }, async () => {
      try {
        while (true) {
          await mint({ deadlineMs: 10_000 })
          answered += 1
          if (answered === 500) server.child.kill('SIGTERM')
        }
      } catch (error) {
        refusals.push(error instanceof Refused ? error.status : String(error))
      }
    })
    await Promise.all(callers)
    expect(await server.ended).toEqual({ code: 0, signal: null })
    expect(new Set(refusals)).toEqual(new Set(['UNAVAILABLE']))
    // An unanswered token would be an accepted and dropped call.
    expect(issued(file)).toBe(answered)
  })

  it('ends at once when asked a second time', async () => {
    const { server, mint, logged, file } = await started(await temporaryDirectory())
    await mint()
    lock(file)
    const refusal = refusalOf(mint())
    server.child.kill('SIGTERM')
    await eventually(() => logged('stopping').length, 1)
    server.child.kill('SIGTERM')
    // Exit code 0 would mean that it waited for the grace period.
    expect(await server.ended).toEqual({ code: 143, signal: null })
    expect((await refusal).status).toBe('UNAVAILABLE')
  })
})

describe('a message beyond the limit', () => {
  it('is refused with RESOURCE_EXHAUSTED, and the connection stays open', async () => {
    const { client, call, mint } = await started(await temporaryDirectory())
    const refusal = await refusalOf(call(verifyToken, { client, token: 'x'.repeat(1024 * 1024) }))
    expect(refusal).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: '' })
    expect(await mint()).toMatch(/^qat_/)
  })
})
