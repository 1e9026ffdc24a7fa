import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { restartableServer } from '../e2e/restartable-server.ts'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'
import { emptyFolder, qscope } from './process.ts'

const TIMEOUT = 300_000
const PATIENCE = { timeout: 120_000, interval: 50 }
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

/** Follows until the end of the test; its output so far, and its end. */
function follow(args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, 'audit', 'follow', ...args], {
    cwd: emptyFolder(),
    env: { PATH: process.env['PATH'] ?? '', ...COMPILE_CACHE },
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(() => void child.kill('SIGKILL'))
  return {
    lines,
    ended,
    end: () => child.kill('SIGINT'),
    stopReading: () => void child.stdout.destroy(),
    hasEnded: () => child.exitCode !== null,
    errors: () => errors,
  }
}

test(
  'qscope audit follow ends quietly when its reader closes the pipe, like head',
  async () => {
    const database = await sqliteFiles.createMigrated()
    const server = await startServer(database.url)
    try {
      const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
      const as = ['--server', server.address, '--token', server.admin.token]
      const following = follow([...as, '--of-client', clientId])
      await expect.poll(() => server.app.auditWatches.open, PATIENCE).toBe(1)
      following.stopReading()
      // The first write may still fit into the pipe.
      const mint = () => server.call(TokenService.method.mintToken, { client })
      await expect
        .poll(async () => {
          await mint()
          return following.hasEnded()
        }, PATIENCE)
        .toBe(true)
      expect(await following.ended).toBe(128 + constants.signals.SIGPIPE)
      expect(following.errors()).toBe('')
    } finally {
      await server.stop()
    }
  },
  TIMEOUT,
)

test(
  'qscope audit follow prints new filtered events as text or JSON lines until it is interrupted',
  async () => {
    const database = await sqliteFiles.createMigrated()
    const server = await startServer(database.url)
    try {
      const as = ['--server', server.address, '--token', server.admin.token]
      const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
      const text = follow([...as, '--of-client', clientId])
      const json = follow([...as, '--type', 'token.issued', '--json'])
      await expect.poll(() => server.app.auditWatches.open, PATIENCE).toBe(2)
      await server.call(TokenService.method.mintToken, { client })
      await expect.poll(() => text.lines.length, PATIENCE).toBe(1)
      await expect.poll(() => json.lines.length, PATIENCE).toBe(1)
      expect(text.lines[0]).toMatch(
        new RegExp(`^\\d{4}-\\S+Z  token\\.issued +${clientId}  \\S+  by ${clientId}  ray `),
      )
      const { event, cursor } = JSON.parse(json.lines[0] ?? '')
      expect(event).toMatchObject({ eventType: 'token.issued', clientId })
      text.end()
      json.end()
      expect(await Promise.all([text.ended, json.ended])).toEqual([0, 0])

      await server.call(TokenService.method.mintToken, { client })
      const resumed = follow([...as, '--json', '--cursor', cursor])
      await expect.poll(() => resumed.lines.length, PATIENCE).toBe(1)
      expect(JSON.parse(resumed.lines[0] ?? '').event).toMatchObject({ clientId })

      const refused = await qscope(emptyFolder(), ['audit', 'follow', ...as, '--type', 'no.such'])
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is not an event type') })
    } finally {
      await server.stop()
      await database.drop()
    }
  },
  TIMEOUT,
)

test(
  'qscope audit follow goes on after its server was killed, with each event once',
  async () => {
    const server = await restartableServer(sqliteFiles)
    let running = await server.start()
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const { clientId: id, method } = server.admin.client
    const as = ['--server', server.address, '--client-id', id, '--client-secret', method.value]
    const following = follow([...as, '--of-client', clientId, '--type', 'token.issued', '--json'])
    const shown = () => following.lines.map((line) => JSON.parse(line).event.eventId)
    const mint = async () => await server.call(TokenService.method.mintToken, { client })
    const listed = async () => {
      const filter = ['--of-client', clientId, '--type', 'token.issued', '--page-size', '100']
      const { events } = JSON.parse((await server.command('audit', 'list', ...filter, '--json')).stdout)
      return events.map(({ eventId }: { readonly eventId: string }) => eventId)
    }
    // Until the follower listens, its first events may be missing.
    await expect
      .poll(async () => {
        await mint()
        return shown().length
      }, PATIENCE)
      .toBeGreaterThan(0)
    const [first] = shown()

    const reconnections = () => following.errors().split('; reconnecting').length - 1
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      // The follower may not have heard of these when the server ends.
      await Promise.all(Array.from({ length: 10 }, mint))
      const before = reconnections()
      running.child.kill(signal)
      await running.ended
      await expect.poll(reconnections, PATIENCE).toBeGreaterThan(before)
      running = await server.start()
      await mint()
    }
    const all: string[] = (await listed()).toReversed()
    const expected = all.slice(all.indexOf(first))
    await expect.poll(shown, PATIENCE).toEqual(expected)
    expect(expected.length).toBeGreaterThan(22)
  },
  TIMEOUT,
)
