import { expect, vi } from 'vitest'
import type { GroupMember } from '../setup/group-replication.ts'
import { runSql } from '../setup/run-sql.ts'

type Members = readonly Pick<GroupMember, 'url'>[]

const TAKES_WRITES = `select count(*) as fit from performance_schema.replication_group_members
where member_id = @@server_uuid and member_role = 'PRIMARY' and member_state = 'ONLINE' and @@super_read_only = 0
and not exists (select 1 from performance_schema.replication_group_members where member_state = 'UNREACHABLE')`

export function memberOf<T>(members: readonly T[], n: number): T {
  const found = members[n]
  if (found === undefined) throw new Error(`there is no member ${n}`)
  return found
}

/** The index of the member that accepts writes, among the candidates; waits until there is one. */
export async function primaryAmong(members: Members, candidates: readonly number[]): Promise<number> {
  return await vi.waitFor(
    async () => {
      for (const n of candidates) {
        const [row] = await runSql(memberOf(members, n).url, TAKES_WRITES)
        if (Number(row?.['fit']) === 1) return n
      }
      throw new Error('there is no primary')
    },
    { timeout: 60_000, interval: 200 },
  )
}

/** The URL of the database on these members, in this order. */
export function urlThrough(databaseUrl: string, members: Members, order: readonly number[]): string {
  const hosts = order.map((n) => new URL(memberOf(members, n).url).host).join(',')
  return databaseUrl.replace(new URL(databaseUrl).host, hosts)
}

/** Waits until all members have the same rows in every table. */
export async function expectSameRows(databaseUrl: string, members: Members): Promise<void> {
  const tables = await runSql(
    databaseUrl,
    'select table_name as name from information_schema.tables where table_schema = database()',
  )
  const list = tables.map(({ name }) => name).join(', ')
  const rowsOf = async (n: number) => {
    const checksums = await runSql(urlThrough(databaseUrl, members, [n]), `checksum table ${list} extended`)
    return checksums.map((row) => `${row['Table']}: ${row['Checksum']}`)
  }
  await vi.waitFor(
    async () => {
      const all = await Promise.all(members.map((_, n) => rowsOf(n)))
      expect(all[0]).toHaveLength(tables.length)
      for (const rows of all) expect(rows).toEqual(all[0])
    },
    { timeout: 60_000, interval: 500 },
  )
}
