import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { clientId, userId } from '../../src/domain/ids.ts'
import type { AuditFilter } from '../../src/stores/contract/audit-log.ts'
import { FileErrors } from '../../src/stores/sql/dialects/sqlite/errors.ts'
import { betterSqlite } from '../../src/stores/sql/dialects/sqlite/library.ts'
import { SqliteScanner } from '../../src/stores/sql/dialects/sqlite/scanner.ts'
import { calmest } from '../setup/calmest.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { context, openMigrated } from './given.ts'

const HALF = 50_000
const NOTHING: AuditFilter = { types: [], clientId: null, userId: null, rayId: null, from: null, until: null }
const FIRST_PAGE = { after: null, limit: 50 }
const USER = '01890000-0000-7000-8000-000000000000'

/** SQL that inserts a number of events of one client without a user, and as many of a user of another client. */
const EVENTS = `insert into oauth_audit_log
  with recursive n(i) as (select 1 union all select i + 1 from n where i < ${2 * HALF})
  select printf('01890000-%04x-7000-8000-%012x', i / 65536, i), 'w', i, zeroblob(32), zeroblob(32), 'k',
    case when i = 7 then 'key.created' else 'token.issued' end, 'ray', iif(i % 2 = 0, 'busy', 'other'),
    iif(i % 2 = 0, null, '${USER}'), null, null, 'a', '{}', i, 'a' from n`

async function largeLog() {
  const database = await sqliteFiles.create()
  const backend = await openMigrated(database)
  onTestFinished(async () => {
    await backend.close()
    await database.drop()
  })
  await database.query(EVENTS)
  return {
    page: (filter: Partial<AuditFilter>) =>
      backend.reads.auditLog.page(context(), { ...NOTHING, ...filter }, FIRST_PAGE),
  }
}

/** The time of the work, and how much of it the event loop was blocked. */
async function watched(work: () => Promise<unknown>): Promise<{ readonly tookMs: number; readonly stoodMs: number }> {
  const begun = performance.now()
  let stoodMs = 0
  let isOver = false
  const over = work().finally(() => {
    isOver = true
  })
  for (let last = performance.now(); !isOver; ) {
    await sleep(1)
    const now = performance.now()
    stoodMs = Math.max(stoodMs, now - last)
    last = now
  }
  await over
  return { tookMs: performance.now() - begun, stoodMs }
}

it('keep the event loop free while a filter scans a large log without a match', async () => {
  const { page } = await largeLog()
  const filter = { clientId: clientId('busy'), userId: userId(USER) }
  expect(await page(filter)).toEqual([])
  const looks = []
  for (let n = 0; n < 5; n += 1) looks.push(await watched(() => page(filter)))
  const shares = looks.map(({ tookMs, stoodMs }) => stoodMs / tookMs)
  expect(Math.min(...shares)).toBeLessThan(0.5)
}, 60_000)

it('end when they are closed, even if their file cannot be opened', async () => {
  const scanner = new SqliteScanner(betterSqlite, new FileErrors('/nowhere/qscope.db'), 262_144)
  const asked = scanner.execute({ sql: 'select 1', parameters: [] })
  const [answer, closed] = await Promise.allSettled([asked, scanner.close()])
  expect(answer.status).toBe('rejected')
  expect(closed.status).toBe('fulfilled')
  await expect(scanner.execute({ sql: 'select 1', parameters: [] })).rejects.toMatchObject({ kind: 'unavailable' })
})

it('find events of a rare type without scanning the others, and of several types in order', async () => {
  const { page } = await largeLog()
  const [rare, ...more] = await page({ types: ['key.created'] })
  expect(rare?.type).toBe('key.created')
  expect(more).toEqual([])
  const both = await page({ types: ['key.created', 'token.issued'] })
  expect(both).toHaveLength(50)
  expect(both.map(({ eventId }) => eventId)).toEqual((await page({})).map(({ eventId }) => eventId))
  const slow = await watched(() => page({ clientId: clientId('busy'), userId: userId(USER) }))
  const fast = await calmest(slow.tookMs, async () => (await watched(() => page({ types: ['key.created'] }))).tookMs)
  expect(fast).toBeLessThan(slow.tookMs)
}, 60_000)
