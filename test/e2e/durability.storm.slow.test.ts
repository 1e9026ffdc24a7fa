import { describe, expect, it } from 'vitest'
import { AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../setup/client.ts'
import { scaled } from '../setup/scale.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

const { introspectToken, batchIntrospectTokens, mintToken, listTokens } = TokenService.method
const CALLS = 2_000
const ROUNDS = scaled(10)

describe('a server on SQLite that is killed in the middle of 2,000 concurrent mints', () => {
  it(`keeps every answered token with its audit event, and no partial writes (${ROUNDS} of 10 rounds)`, async () => {
    const directory = await temporaryDirectory()
    await run(directory, ['migrate', 'up'])
    const made = await run(directory, ['client', 'create', '--admin', '--json'])
    const { client: registered, clientSecret } = JSON.parse(made.stdout)
    const client = { clientId: registered.clientId, method: { case: 'clientSecret' as const, value: clientSecret } }
    const start = async () => {
      const server = qscope(directory, ['serve'], { QSCOPE_GRPC_LISTEN: '127.0.0.1:0', QSCOPE_LOG_LEVEL: 'warn' })
      const [, address = ''] = await server.until(/listens on (\S+)/)
      return { server, connection: connect(address) }
    }

    const answered = new Map<string, string>()
    for (let round = 0; round < ROUNDS; round += 1) {
      const { server, connection } = await start()
      // At most half of the calls have been answered when the process is killed.
      const killAt = answered.size + 100 + Math.floor((CALLS / 2) * ((round + 1) / ROUNDS))
      const calls = Array.from({ length: CALLS }, async () => {
        const { token } = await connection.call(mintToken, { client, scopes: ['qscope:tokens.read'] })
        answered.set(token?.tokenId ?? '', token?.accessToken ?? '')
        if (answered.size === killAt) server.child.kill('SIGKILL')
      })
      const ended = await Promise.allSettled(calls)
      expect((await server.ended).signal).toBe('SIGKILL')
      expect(ended.some(({ status }) => status === 'rejected')).toBe(true)
      connection.close()
    }
    expect(answered.size).toBeGreaterThan(100 * ROUNDS)

    const { server, connection } = await start()
    const values = [...answered.values()]
    for (let from = 0; from < values.length; from += 1_000) {
      const { results } = await connection.call(batchIntrospectTokens, {
        client,
        tokens: values.slice(from, from + 1_000),
      })
      expect(results.every(({ active }) => active)).toBe(true)
    }
    const { token } = await connection.call(mintToken, { client })
    const bearer = token?.accessToken ?? ''
    const stored = new Set<string>()
    for await (const id of pages((pageToken) =>
      connection
        .call(listTokens, { clientId: client.clientId, pageSize: 1_000, pageToken }, { bearer })
        .then((page) => ({
          ids: page.tokens.map(({ tokenId }) => tokenId),
          next: page.nextPageToken,
        })),
    ))
      stored.add(id)
    const audited = new Set<string>()
    for await (const id of pages((pageToken) =>
      connection
        .call(
          AuditService.method.listAuditEvents,
          { eventTypes: ['token.issued'], pageSize: 1_000, pageToken },
          { bearer },
        )
        .then((page) => ({ ids: page.events.map(({ tokenId }) => tokenId ?? ''), next: page.nextPageToken })),
    ))
      audited.add(id)
    for (const id of answered.keys()) expect(stored.has(id) && audited.has(id)).toBe(true)
    // Each unanswered token is stored with its event, or not at all.
    expect(audited).toEqual(stored)
    expect((await connection.call(introspectToken, { client, token: bearer })).active).toBe(true)
    connection.close()
    server.child.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    const verified = await run(directory, ['audit', 'verify', '--json'])
    expect(verified.code).toBe(0)
    expect(JSON.parse(verified.stdout)).toMatchObject({ valid: true, breaks: [] })
  })
})

async function* pages(read: (pageToken: string) => Promise<{ ids: string[]; next: string }>) {
  let pageToken = ''
  do {
    const { ids, next } = await read(pageToken)
    yield* ids
    pageToken = next
  } while (pageToken !== '')
}
