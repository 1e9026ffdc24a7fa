import { beforeAll, describe, expect, it } from 'vitest'
import { AuditBreakKindSchema, AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { startServer } from '../setup/server.ts'
import { thief } from '../setup/tampering.ts'

const { verifyAuditLog, exportAuditHead } = AuditService.method
const { mintToken } = TokenService.method

onEveryBackend('the audit log, verified,', (server, database) => {
  const admin = () => ({ bearer: server.admin.token })
  const mint = () => server.call(mintToken, { client: server.admin.client })
  const verify = (exportedHead = '') => server.call(verifyAuditLog, { exportedHead }, admin())
  const exported = async () => (await server.call(exportAuditHead, {}, admin())).head
  const kindsOf = (answer: Awaited<ReturnType<typeof verify>>) =>
    answer.breaks.map(({ kind }) => AuditBreakKindSchema.value[kind]?.localName).sort()
  const eventsInside = async () => Number((await database.query('select count(*) as n from oauth_audit_log'))[0]?.['n'])
  /** The chain with the most rows. */
  const chain = async () => {
    const rows = await database.query(
      'select writer_id, max(sequence) as n from oauth_audit_log group by writer_id order by n desc limit 1',
    )
    return { writer: String(rows[0]?.['writer_id']), last: Number(rows[0]?.['n']) }
  }

  beforeAll(async () => {
    for (let i = 0; i < 12; i += 1) await mint()
  })

  it('is intact as it was written, every event of it', async () => {
    const answer = await verify()
    expect(answer).toMatchObject({ valid: true, breaks: [], breakCount: 0n, nextPageToken: '' })
    expect(Number(answer.verifiedEvents)).toBe(await eventsInside())
    expect(Number(answer.verifiedChains)).toBe((await database.query('select * from oauth_audit_heads')).length)
  })

  it('is verified in parts of the requested length', async () => {
    let [events, chains, pageToken] = [0, 0, '']
    let parts = 0
    do {
      const answer = await server.call(verifyAuditLog, { maxEvents: 5, pageToken }, admin())
      expect(answer.valid).toBe(true)
      expect(Number(answer.verifiedEvents)).toBeLessThanOrEqual(5)
      events += Number(answer.verifiedEvents)
      chains += Number(answer.verifiedChains)
      pageToken = answer.nextPageToken
      parts += 1
    } while (pageToken !== '')
    expect(parts).toBeGreaterThan(2)
    expect(events).toBe(await eventsInside())
    expect(chains).toBe((await database.query('select * from oauth_audit_heads')).length)
  })

  it('continues only with a token of the same verification', async () => {
    const { nextPageToken } = await server.call(verifyAuditLog, { maxEvents: 5 }, admin())
    const wrong = { maxEvents: 5, pageToken: nextPageToken, exportedHead: await exported() }
    expect(await refusalOf(server.call(verifyAuditLog, wrong, admin()))).toMatchObject({
      reason: 'OAUTH_INVALID_REQUEST',
      violations: ['page_token'],
    })
  })

  it('is intact while several instances write at once, and afterwards', async () => {
    const other = await startServer(database.url, server.keyring, server.first)
    try {
      const before = await exported()
      const writing = Promise.all(
        Array.from({ length: 300 }, (_, n) =>
          (n % 2 === 0 ? server : other).call(mintToken, { client: server.admin.client }),
        ),
      )
      for (let i = 0; i < 5; i += 1) expect((await verify(before)).breaks).toEqual([])
      await writing
      const answer = await verify(before)
      expect(answer).toMatchObject({ valid: true, breaks: [] })
      expect(Number(answer.verifiedEvents)).toBe(await eventsInside())
    } finally {
      await other.stop()
    }
  })

  it('is only available with audit.read', async () => {
    const { client } = await server.registerClient({ scopes: ['qscope:clients.read'] })
    const { token } = await server.call(mintToken, { client })
    const other = { bearer: token?.accessToken ?? '' }
    const refusals = [server.call(verifyAuditLog, {}, other), server.call(exportAuditHead, {}, other)].map(refusalOf)
    expect((await Promise.all(refusals)).map(({ reason }) => reason)).toEqual([
      'OAUTH_INSUFFICIENT_SCOPE',
      'OAUTH_INSUFFICIENT_SCOPE',
    ])
  })

  describe('after changes in the database', () => {
    const hands = thief(database)

    /** Tampers, looks, and puts everything back. */
    async function found(
      statements: (target: { writer: string; last: number; at: (n: number) => string }) => readonly string[],
      head = '',
    ) {
      const { writer, last } = await chain()
      await hands.unlock()
      await hands.keepCopy('kept')
      try {
        await hands.run(...statements({ writer, last, at: (n) => `where writer_id = '${writer}' and sequence = ${n}` }))
        const answer = await verify(head)
        expect(answer.valid).toBe(false)
        return { kinds: kindsOf(answer), breaks: answer.breaks, writer, last }
      } finally {
        await hands.putBack('kept')
        await hands.dropCopy('kept')
        expect((await verify()).breaks).toEqual([])
      }
    }

    const other = '01890000-0000-7000-8000-000000000000'
    it.each([
      ['event_id', `'${other}'`],
      ['event_type', "'token.revoked'"],
      ['ray_id', "'another'"],
      ['client_id', "'another'"],
      ['client_id', 'null'],
      ['user_id', "'another'"],
      ['token_id', "'another'"],
      ['grant_id', "'another'"],
      ['actor', "'another'"],
      ['metadata', "'{}'"],
      ['metadata', "'not even JSON'"],
      ['created_at', 'created_at + 1'],
      ['created_by', "'another'"],
      ['previous_hash', 'hash'],
      ['hash', 'previous_hash'],
    ])('a changed %s (%s) is found', async (column, value) => {
      const { breaks, kinds, writer } = await found(({ at }) => [
        `update oauth_audit_log set ${column} = ${value} ${at(3)}`,
      ])
      expect(kinds).toEqual(['ROW_CHANGED'])
      expect(breaks[0]).toMatchObject({ writerId: writer, sequence: 3n })
    })

    it('a key id that the keyring lacks is named', async () => {
      const { kinds, breaks } = await found(({ at }) => [`update oauth_audit_log set key_id = 'audit-gone' ${at(2)}`])
      expect(kinds).toEqual(['KEY_UNKNOWN'])
      expect(breaks[0]?.detail).toContain('audit-gone')
    })

    it('a row moved to another chain is missing, and the chain it forms has no head', async () => {
      const { kinds } = await found(({ at }) => [`update oauth_audit_log set writer_id = 'planted' ${at(4)}`])
      expect(kinds).toEqual(['HEAD_MISSING', 'ROW_MISSING'])
    })

    it('removal of the newest row is found', async () => {
      const { kinds, breaks, last } = await found(({ at, last: n }) => [`delete from oauth_audit_log ${at(n)}`])
      expect(kinds).toEqual(['ROW_MISSING'])
      expect(breaks[0]?.sequence).toBe(BigInt(last))
    })

    it('removal of the newest row with an adjusted head is found', async () => {
      const { kinds } = await found(({ at, last, writer }) => [
        `update oauth_audit_heads set sequence = ${last - 1}, hash = (select previous_hash from oauth_audit_log ${at(last)}) where writer_id = '${writer}'`,
        `delete from oauth_audit_log ${at(last)}`,
      ])
      expect(kinds).toEqual(['HEAD_FORGED'])
    })

    it('removal of a row in the middle is found, with its place', async () => {
      const { kinds, breaks } = await found(({ at }) => [`delete from oauth_audit_log ${at(5)}`])
      expect(kinds).toEqual(['ROW_MISSING'])
      expect(breaks[0]?.sequence).toBe(5n)
    })

    it('two swapped rows are found', async () => {
      const { kinds, breaks } = await found(({ at }) => [
        `update oauth_audit_log set sequence = 1000000 ${at(3)}`,
        `update oauth_audit_log set sequence = 3 ${at(6)}`,
        `update oauth_audit_log set sequence = 6 ${at(1_000_000)}`,
      ])
      expect(kinds).toEqual(['ROWS_REORDERED'])
      expect(breaks[0]).toMatchObject({ sequence: 3n, detail: 'the row of this place is at 6' })
    })

    it('an inserted row is found: after the head, and before the first place', async () => {
      for (const place of ['sequence + 1', '0', '-7']) {
        const { kinds } = await found(({ at, last }) => [
          `create table planted as select * from oauth_audit_log ${at(last)}`,
          `update planted set event_id = '${other}', sequence = ${place}`,
          'insert into oauth_audit_log select * from planted',
          'drop table planted',
        ])
        expect(kinds).toEqual(['ROW_UNACCOUNTED'])
      }
    })

    it.each(['sequence = sequence + 1', 'hash = mac', 'mac = hash', 'ordinal = ordinal + 1000'])(
      'a forged head (%s) is found',
      async (change) => {
        const { kinds } = await found(({ writer }) => [
          `update oauth_audit_heads set ${change} where writer_id = '${writer}'`,
        ])
        expect(kinds).toContain('HEAD_FORGED')
      },
    )

    it('a head that names a key the keyring lacks is found', async () => {
      const { kinds } = await found(({ writer }) => [
        `update oauth_audit_heads set key_id = 'audit-gone' where writer_id = '${writer}'`,
      ])
      expect(kinds).toEqual(['KEY_UNKNOWN'])
    })

    it('removal of a head is found', async () => {
      const { kinds } = await found(({ writer }) => [`delete from oauth_audit_heads where writer_id = '${writer}'`])
      expect(kinds).toContain('HEAD_MISSING')
    })

    it('removal of a whole chain with its head is found, the first or the last', async () => {
      for (const end of ['min', 'max']) {
        const where = `where writer_id = (select writer_id from (select writer_id from oauth_audit_heads where ordinal = (select ${end}(ordinal) from oauth_audit_heads)) as gone)`
        const { kinds } = await found(() => [
          `delete from oauth_audit_log ${where}`,
          `delete from oauth_audit_heads ${where}`,
        ])
        expect(kinds).toEqual(['WRITER_MISSING'])
      }
    })

    it('removal of the last chain with its head and a decremented registry is found', async () => {
      const last =
        '(select writer_id from (select writer_id from oauth_audit_heads order by ordinal desc limit 1) as gone)'
      const { kinds } = await found(() => [
        `delete from oauth_audit_log where writer_id = ${last}`,
        `delete from oauth_audit_heads where writer_id = ${last}`,
        'update oauth_audit_roster set writers = writers - 1',
      ])
      expect(kinds).toEqual(['ROSTER_FORGED'])
    })

    it('removal of the registry is found', async () => {
      expect((await found(() => ['delete from oauth_audit_roster'])).kinds).toEqual(['ROSTER_FORGED'])
    })

    it('a log restored to an older state is found with a later exported head', async () => {
      await hands.unlock()
      await hands.keepCopy('older')
      const older = await exported()
      await Promise.all(Array.from({ length: 5 }, mint))
      const newer = await exported()
      await hands.keepCopy('newer')
      await hands.putBack('older')
      // Nothing inside the database can tell.
      expect((await verify()).breaks).toEqual([])
      expect((await verify(older)).breaks).toEqual([])
      const kinds = kindsOf(await verify(newer))
      expect(new Set(kinds)).toEqual(new Set(['BEHIND_EXPORT']))
      await hands.run(
        'delete from oauth_audit_log',
        'delete from oauth_audit_heads',
        'update oauth_audit_roster set writers = 0',
      )
      expect(new Set(kindsOf(await verify(newer)))).toEqual(new Set(['ROSTER_FORGED', 'WRITER_MISSING']))
      await hands.putBack('newer')
      expect((await verify(newer)).breaks).toEqual([])
      await hands.dropCopy('older')
      await hands.dropCopy('newer')
    })

    it('an exported head that was changed, or made under another keyring, is refused', async () => {
      const head = await exported()
      const changed = head.replace(/",(\d+),"/, (_text, count) => `",${Number(count) - 1},"`)
      expect(changed).not.toBe(head)
      for (const wrong of [changed, '{}', 'x']) {
        expect((await refusalOf(verify(wrong))).violations).toEqual(['exported_head'])
      }
    })
  })
})
