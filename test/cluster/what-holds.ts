import { expect } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import type { TestServer } from '../setup/server.ts'
import type { LoadRecord, startMixedLoad } from './mixed-load.ts'

type Callable = Pick<TestServer, 'call'>
type Client = Awaited<ReturnType<typeof startMixedLoad>>['client']
/** Runs SQL directly on a database. */
type Query = (sql: string) => Promise<Record<string, unknown>[]>

/** The limit of a batch of introspections. */
const BATCH = 1_000

/** Expects that the answered writes are visible on this server. */
export async function expectKept(server: Callable, client: Client, record: LoadRecord): Promise<void> {
  expect(await count(server, client, [...record.active])).toEqual({ active: record.active.size, inactive: 0 })
  expect(await count(server, client, [...record.revoked])).toEqual({ active: 0, inactive: record.revoked.size })
  for (const refreshToken of record.refreshTokens) {
    const { active } = await server.call(TokenService.method.introspectToken, { client, token: refreshToken })
    expect(active).toBe(true)
  }
}

async function count(server: Callable, client: Client, tokens: readonly string[]) {
  const counts = { active: 0, inactive: 0 }
  for (let from = 0; from < tokens.length; from += BATCH) {
    const request = { client, tokens: tokens.slice(from, from + BATCH) }
    const { results } = await server.call(TokenService.method.batchIntrospectTokens, request)
    for (const { active } of results) counts[active ? 'active' : 'inactive'] += 1
  }
  return counts
}

/** Expects that nothing was decided twice, and that no audit event is missing, in this database. */
export async function expectSound(query: Query): Promise<void> {
  const twice = await query(
    'select predecessor_id from oauth_refresh_tokens where predecessor_id is not null group by predecessor_id having count(*) > 1',
  )
  expect(twice).toEqual([])
  const gaps = await query(
    `select oauth_audit_heads.writer_id from oauth_audit_heads
     left join oauth_audit_log on oauth_audit_log.writer_id = oauth_audit_heads.writer_id
     group by oauth_audit_heads.writer_id, oauth_audit_heads.sequence
     having count(oauth_audit_log.event_id) <> oauth_audit_heads.sequence`,
  )
  expect(gaps).toEqual([])
  const orphans = await query(
    `select token_id from oauth_access_tokens where token_id not in
       (select token_id from oauth_audit_log where token_id is not null)`,
  )
  expect(orphans).toEqual([])
}

/** Expects that all refusals can be retried. */
export function expectOnlyRetryable({ refusals }: LoadRecord): void {
  const others = refusals.filter(
    ({ status, hasRetryInfo }) => !(hasRetryInfo && (status === 'UNAVAILABLE' || status === 'ABORTED')),
  )
  expect(others).toEqual([])
}

/** A text with the numbers of answered calls and of refusals. */
export function told({ answers, refusals, longestSilenceMs }: LoadRecord): string {
  const kinds = Object.entries(Object.groupBy(refusals, ({ status, reason }) => `${status} ${reason}`))
  const list = kinds.map(([kind, all = []]) => `${all.length} ${kind}`).join(', ') || 'none'
  return `${answers} answers, refusals: ${list}; ${longestSilenceMs} ms at most without an answer`
}
