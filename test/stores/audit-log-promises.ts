import { expect, test, vi } from 'vitest'
import { CHAIN_RENEWED_AFTER, recordOf } from '../../src/domain/audit-event.ts'
import { auditEventId, clientId, epochMs, userId } from '../../src/domain/ids.ts'
import type { AuditFilter } from '../../src/stores/contract/audit-log.ts'
import type { DialectName } from '../setup/database-names.ts'
import type { Subject } from './contract.ts'
import { anEvent, context, inTransaction, NOW, seal } from './given.ts'

const anyEvent: AuditFilter = { types: [], clientId: null, userId: null, rayId: null, from: null, until: null }

/** Statements that change or delete rows in other ways; `again` inserts a changed copy of a row. */
const roundabout: Record<DialectName, (again: string) => readonly string[]> = {
  sqlite: (again) => [`replace ${again}`],
  mysql: (again) => [`replace ${again}`, `insert ${again} on duplicate key update actor = 'x'`],
  postgres: (again) => [`insert ${again} on conflict (event_id) do update set actor = 'x'`, 'truncate oauth_audit_log'],
}

export function auditLogPromises(subject: () => Subject): void {
  const reads = () => subject().backend.reads.auditLog
  const append = (...events: ReturnType<typeof anEvent>[]) =>
    subject().backend.append(context(), (stores) => {
      for (const event of events) void stores.auditLog.append(event)
    })

  test('returns events unchanged', async () => {
    const event = anEvent({ userId: userId('ü'), metadata: { b: '2', a: '"' }, rayId: 'ray-back' })
    await append(event)
    expect(await reads().find(context(), event.eventId)).toEqual(event)
    expect(await reads().find(context(), auditEventId('none'))).toBeNull()
    expect(await reads().keyIds(context())).toEqual([seal.keyId])
  })

  test('is listed in pages, newest first, with filters', async () => {
    const events = [
      anEvent({ rayId: 'list', type: 'client.registered', createdAt: NOW }),
      anEvent({ rayId: 'list', type: 'token.issued', createdAt: epochMs(NOW + 1), clientId: clientId('Svc') }),
      anEvent({ rayId: 'list', type: 'token.revoked', createdAt: epochMs(NOW + 2), userId: userId('u') }),
      anEvent({ rayId: 'LIST', type: 'token.revoked', createdAt: epochMs(NOW + 3) }),
    ]
    await append(...events)
    const [a, b, c] = events.map((event) => event.eventId)
    const list = async (filter: Partial<AuditFilter>, after: string | null = null, limit = 50) => {
      const page = { after: after === null ? null : auditEventId(after), limit }
      const found = await reads().page(context(), { ...anyEvent, rayId: 'list', ...filter }, page)
      return found.map((event) => event.eventId)
    }
    expect(await list({})).toEqual([c, b, a])
    expect(await list({}, null, 2)).toEqual([c, b])
    expect(await list({}, b)).toEqual([a])
    expect(await list({ types: ['token.issued', 'client.registered'] })).toEqual([b, a])
    expect(await list({ clientId: clientId('Svc') })).toEqual([b])
    expect(await list({ userId: userId('u') })).toEqual([c])
    expect(await list({ from: epochMs(NOW + 1), until: epochMs(NOW + 2) })).toEqual([b])
  })

  const heads = async () => (await subject().backend.reads.auditFeed.heads(context(), [], 0, 10_000)).heads

  test('is followed by its heads, and each chain can be read up to its head', async () => {
    await append(anEvent({ rayId: 'followed' }))
    const known = await heads()
    const feed = subject().backend.reads.auditFeed
    await append(anEvent({ rayId: 'followed' }), anEvent({ rayId: 'followed' }))
    const after = Math.max(...known.map(({ ordinal }) => ordinal))
    const ordinals = known.map(({ ordinal }) => ordinal)
    const { now, heads: moved } = await feed.heads(context(), ordinals, after, 10)
    const ranges = moved
      .map(({ ordinal, writerId, sequence }) => {
        const before = known.find((head) => head.ordinal === ordinal)?.sequence ?? 0
        return { ordinal, writerId, after: before, upTo: sequence }
      })
      .toSorted((a, b) => (a.writerId < b.writerId ? -1 : 1))
    const found = await feed.within(context(), ranges, 10)
    expect(found.map(({ event }) => event.rayId)).toEqual(['followed', 'followed'])
    expect(await feed.within(context(), ranges, 1)).toEqual(found.slice(0, 1))
    const grown = moved.find(({ writerId }) => writerId === found[0]?.writerId)
    expect(Math.abs(now - (grown?.updatedAt ?? 0))).toBeLessThan(600_000)
    expect((await feed.heads(context(), [], after, 10)).heads).toEqual(moved.filter(({ ordinal }) => ordinal > after))
  })

  test('continues in a new chain when the last append was long ago', async () => {
    await append(anEvent({ rayId: 'renewed' }))
    const before = await heads()
    await append(anEvent({ rayId: 'renewed' }))
    expect(await heads()).toHaveLength(before.length)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + CHAIN_RENEWED_AFTER + 60_000 })
    try {
      await append(anEvent({ rayId: 'renewed' }))
    } finally {
      vi.useRealTimers()
    }
    const [newest] = (await heads()).toReversed()
    expect(await heads()).toHaveLength(before.length + 1)
    expect(newest?.sequence).toBe(1)
    await append(anEvent({ rayId: 'renewed' }))
    expect(await heads()).toHaveLength(before.length + 1)
  })

  test('refuses to change or delete events', async () => {
    const { database } = subject()
    const event = anEvent({ rayId: 'kept' })
    await append(event)
    await expect(database.query("update oauth_audit_log set actor = 'x'")).rejects.toThrow(/append-only/)
    await expect(database.query('delete from oauth_audit_log')).rejects.toThrow(/append-only/)
    const columns = Object.keys((await database.query("select * from oauth_audit_log where ray_id = 'kept'"))[0] ?? {})
    const copy = columns.map((column) => (column === 'actor' ? "'x'" : column)).join(', ')
    const again = `into oauth_audit_log (${columns.join(', ')}) select ${copy} from oauth_audit_log where ray_id = 'kept'`
    for (const statement of roundabout[database.kind.dialect](again)) {
      await expect(database.query(statement)).rejects.toThrow(/append-only/)
    }
    expect(await reads().find(context(), event.eventId)).toEqual(event)
  })

  test('is a chain for each writer without gaps, in which each hash covers the previous one, with its end in the head', async () => {
    const { backend, database } = subject()
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => {
        const event = anEvent({ rayId: `chain-${n}` })
        if (n % 3 === 0) return inTransaction(backend, async (stores) => void stores.auditLog.append(event))
        if (n % 3 === 1) return append(event, anEvent())
        // A rollback leaves no gap.
        return inTransaction(backend, async (stores) => {
          void stores.auditLog.append(event)
          return false
        })
      }),
    )
    const rows = await database.query('select * from oauth_audit_log order by writer_id, sequence')
    const heads = await database.query('select * from oauth_audit_heads')
    const chains = Map.groupBy(rows, (row) => String(row['writer_id']))
    expect([...chains.keys()].sort()).toEqual(heads.map((head) => String(head['writer_id'])).sort())
    for (const [writerId, chain] of chains) {
      let previous: Buffer = Buffer.alloc(32)
      for (const [index, row] of chain.entries()) {
        expect(Number(row['sequence'])).toBe(index + 1)
        expect(row['previous_hash']).toEqual(previous)
        const event = await reads().find(context(), auditEventId(String(row['event_id'])))
        if (event === null) throw new Error('a row that is no event')
        const place = { writerId, sequence: index + 1, previousHash: previous, keyId: seal.keyId }
        const hash = seal.hash(recordOf(event, place))
        expect(row['hash']).toEqual(hash)
        previous = hash
      }
      const head = heads.find((one) => one['writer_id'] === writerId)
      expect(Number(head?.['sequence'])).toBe(chain.length)
      expect(head?.['hash']).toEqual(previous)
    }
    const ordinals = heads.map((head) => Number(head['ordinal'])).sort((a, b) => a - b)
    expect(ordinals).toEqual(heads.map((_, index) => index + 1))
    const [roster] = await database.query('select * from oauth_audit_roster')
    expect(Number(roster?.['writers'])).toBe(heads.length)
    expect(rows.filter((row) => String(row['ray_id']).startsWith('chain-'))).toHaveLength(40)
  })
}
