import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UsageService } from '../../src/gen/qscope/v1/usage_service_pb.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startLogReceiver } from '../telemetry/otlp-log-receiver.ts'
import { temporaryDirectory } from './process.ts'
import { type RestartableServer, restartableServer } from './restartable-server.ts'

const { mintToken, batchMintTokens } = TokenService.method
/** For a loaded machine. */
const PATIENCE = { timeout: 120_000, interval: 20 }
const MINTS = 60

/** A server that delivers audit events with these variables. */
const deliveringServer = (variables: Readonly<Record<string, string>>) => restartableServer(sqliteFiles, variables)

/** Resolves when these followers have their position: later commits are delivered. */
async function followed({ database }: RestartableServer, ...followers: readonly string[]): Promise<void> {
  const names = async () => (await database.query('select name from oauth_audit_followers')).map(({ name }) => name)
  await expect.poll(names, PATIENCE).toEqual(expect.arrayContaining([...followers]))
}

describe('a server that is killed while audit events are delivered', () => {
  it('delivers each event at least once, and counts each once, after a restart', async () => {
    const file = join(await temporaryDirectory(), 'audit.jsonl')
    let isSilent = false
    const receiver = await startLogReceiver(() => (isSilent ? 'say nothing' : 'take'))
    const server = await deliveringServer({
      QSCOPE_AUDIT_LOG_FILE: file,
      QSCOPE_AUDIT_OTLP_ENDPOINT: receiver.url,
      QSCOPE_USAGE: 'on',
    })
    let running = await server.start()
    await followed(server, 'audit-file', 'audit-otlp', 'usage')
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const mintMany = () => Array.from({ length: MINTS }, () => server.call(mintToken, { client }))
    const minted: ReturnType<typeof mintMany> = []

    // It is killed before the receiver has answered, then after that.
    for (isSilent of [true, false]) {
      const before = receiver.requests()
      const calls = mintMany()
      minted.push(...calls)
      await Promise.any(calls)
      await expect.poll(receiver.requests, PATIENCE).toBeGreaterThan(before)
      running.child.kill('SIGKILL')
      expect(await running.ended).toMatchObject({ signal: 'SIGKILL' })
      await Promise.allSettled(calls)
      isSilent = false
      // Ends the 30-second lease of the killed process.
      await server.database.query('delete from oauth_leases')
      running = await server.start()
    }
    minted.push(...mintMany())
    const outcomes = await Promise.allSettled(minted)
    const answered = outcomes.filter(({ status }) => status === 'fulfilled')

    const bearer = { bearer: server.admin.token }
    const issued = new Set<string>()
    for (let pageToken = ''; ; ) {
      const request = { clientId, eventTypes: ['token.issued'], pageSize: 200, pageToken }
      const page = await server.call(AuditService.method.listAuditEvents, request, bearer)
      for (const { eventId } of page.events) issued.add(eventId)
      pageToken = page.nextPageToken
      if (pageToken === '') break
    }
    expect(issued.size).toBeGreaterThanOrEqual(answered.length)
    const missingIn = (delivered: Iterable<string>) => [...issued.difference(new Set(delivered))]
    const inFile = () =>
      (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [])
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line): string => JSON.parse(line).eventId)
    const atReceiver = () => receiver.records.map(({ attributes }) => attributes['qscope.event_id'] ?? '')
    const counted = async () => {
      const { usages } = await server.call(UsageService.method.listUsage, { clientId }, bearer)
      return usages.flatMap(({ scopes }) => scopes).reduce((sum, { granted }) => sum + Number(granted), 0)
    }
    await expect.poll(() => missingIn(inFile()), PATIENCE).toEqual([])
    await expect.poll(() => missingIn(atReceiver()), PATIENCE).toEqual([])
    await expect.poll(counted, PATIENCE).toBe(issued.size)
  })
})

describe('a server that stops while its audit events are not received', () => {
  const stopsWith = async ({ child }: Awaited<ReturnType<RestartableServer['start']>>) => {
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const [code] = await exited
    return code
  }

  it('does not wait for a receiver that does not answer', async () => {
    const receiver = await startLogReceiver(() => 'say nothing')
    const server = await deliveringServer({ QSCOPE_AUDIT_OTLP_ENDPOINT: receiver.url })
    const running = await server.start()
    await followed(server, 'audit-otlp')
    await server.call(mintToken, { client: server.admin.client })
    const before = receiver.requests()
    await expect.poll(receiver.requests, PATIENCE).toBeGreaterThan(before)
    expect(await stopsWith(running)).toBe(0)
    // The sender still waited for its answer, or it would not log this.
    await running.ended
    expect(running.stderr).toContain('audit-otlp: the server stops during the delivery of audit events')
  })

  it('does not wait for the reader of its standard output', async () => {
    const server = await deliveringServer({ QSCOPE_AUDIT_LOG_FILE: '-' })
    const running = await server.start()
    await followed(server, 'audit-stdout')
    running.child.stdout.pause()
    // More than fits into pipes and buffers.
    const requests = Array.from({ length: 100 }, () => ({}))
    const BATCHES = 15
    for (let batch = 0; batch < BATCHES; batch += 1)
      await server.call(batchMintTokens, { client: server.admin.client, requests })
    expect(await stopsWith(running)).toBe(0)
    running.child.stdout.resume()
    await running.ended
    const delivered = running.stdout.split('\n').filter((line) => line.includes('"token.issued"'))
    expect(delivered.length).toBeLessThan(BATCHES * requests.length)
  })

  it('does not write to a pipe, which may have no reader', async () => {
    const pipe = join(await temporaryDirectory(), 'audit.pipe')
    execFileSync('mkfifo', [pipe])
    const server = await deliveringServer({ QSCOPE_AUDIT_LOG_FILE: pipe })
    const running = await server.start()
    await followed(server, 'audit-file')
    await server.call(mintToken, { client: server.admin.client })
    await expect.poll(() => running.stderr, PATIENCE).toContain('is not a regular file')
    expect(await stopsWith(running)).toBe(0)
  })
})
