import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { RevocationStart, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { mysqlDatabases, mysqlDatabasesOn } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { runSql } from '../setup/run-sql.ts'
import { startSemiSynchronousPair } from '../setup/semi-synchronous-pair.ts'
import type { TestServer } from '../setup/server.ts'
import { urlThrough } from './group-members.ts'
import { startWatchedServer } from './watched-server.ts'

const { mintToken, pollRevocations, revokeToken } = TokenService.method
/** Revocations of each instance that the replica gets, and that it does not get. */
const KEPT = 3
const LOST = 5
/** Revocations of each instance after the promotion: more than were lost, so that the lost numbers are passed. */
const AFTER = 2 * LOST

interface Token {
  readonly token: string
  readonly keys: readonly string[]
}

type From = { case: 'start'; value: RevocationStart } | { case: 'cursor'; value: string }

describe.skipIf(!mysqlDatabases.available)('a promoted replica that lacks answered commits, on MySQL', () => {
  it('hides no later revocation from a reader that has passed the lost ones', async () => {
    const pair = await startSemiSynchronousPair()
    onTestFinished(async () => void (await Promise.all(pair.map((server) => server.stop()))))
    const [db1, db2] = pair
    await db1.run('The first set-up')
    await db2.copyFrom(db1)
    // Commits do not wait for the replica.
    await db2.run('Follow', db1)

    const database = await mysqlDatabasesOn(db1.url).create()
    const url = urlThrough(database.url, pair, [0, 1])
    const one = await startWatchedServer(url)
    onTestFinished(() => one.stop())
    const { client } = await one.registerClient({ scopes: ['orders.read'] })
    const grants = grantsOn(one)
    const mint = async (): Promise<Token> => {
      const token = (await one.call(mintToken, { client })).token?.accessToken ?? ''
      return { token, keys: ((await grants.claimsOf(token))?.revocationKeys ?? []).map(hex) }
    }
    const mintMany = async (count: number) => await Promise.all(Array.from({ length: count }, mint))
    const revokeAll = async (on: Pick<TestServer, 'call'>, tokens: readonly Token[]) => {
      for (const { token } of tokens) {
        const revoke = () => on.call(revokeToken, { client, token })
        await vi.waitFor(revoke, { timeout: 60_000 })
      }
    }
    /** Everything up to now. A reset tells a verifier to ask about every token. */
    const read = async (from: From) => {
      const keys = new Set<string>()
      let isReset = false
      for (let next = from; ; ) {
        const answer = await one.call(pollRevocations, { client, from: next })
        for (const { key } of answer.revocations) keys.add(hex(key))
        isReset ||= answer.reset
        next = { case: 'cursor', value: answer.nextCursor }
        if (!answer.more) return { keys, isReset, next }
      }
    }
    const isTold = ({ keys }: Token, told: ReadonlySet<string>) => keys.some((key) => told.has(key))

    const [kept, lost, after] = [await mintMany(KEPT), await mintMany(2 * LOST), await mintMany(2 * AFTER)]
    const start = await read({ case: 'start', value: RevocationStart.NOW })
    await revokeAll(one, kept)
    const [{ executed = '' } = {}] = await runSql(db1.url, 'select @@gtid_executed as executed')
    await runSql(db2.url, `select wait_for_executed_gtid_set('${executed}', 30)`)
    await runSql(db2.url, 'stop replica')

    // The registration of this instance's writer is lost, too.
    const two = await startWatchedServer(url, one.keyring, one.first)
    onTestFinished(() => two.stop())
    await Promise.all([revokeAll(one, lost.slice(LOST)), revokeAll(two, lost.slice(0, LOST))])
    const passed = await read(start.next)
    expect(passed.isReset).toBe(false)
    expect([...kept, ...lost].filter((token) => !isTold(token, passed.keys))).toEqual([])

    await db1.kill()
    await db2.run('Promotion, when the primary is lost')
    // What the old primary answered alone is lost.
    const isActive = async ({ token }: Token) => (await grants.claimsOf(token)) !== undefined
    await vi.waitFor(() => grants.claimsOf(kept[0]?.token ?? ''), { timeout: 60_000 })
    expect(await Promise.all(lost.map(isActive))).toEqual(lost.map(() => true))
    expect(await Promise.all(kept.map(isActive))).toEqual(kept.map(() => false))

    await Promise.all([revokeAll(one, after.slice(AFTER)), revokeAll(two, after.slice(0, AFTER))])
    const later = await read(passed.next)
    expect(later.isReset || after.every((token) => isTold(token, later.keys))).toBe(true)
    console.info(
      `lost commits: ${later.isReset ? 'the reader was reset' : 'the reader was told every later revocation'}`,
    )
  }, 300_000)
})

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
