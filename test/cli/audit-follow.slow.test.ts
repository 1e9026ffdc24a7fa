import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import type { OutputForm } from '../../src/cli/options/output-options.ts'
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
  'qscope audit follow prints new filtered events in each output form until it is interrupted',
  async () => {
    const database = await sqliteFiles.createMigrated()
    const server = await startServer(database.url)
    try {
      const as = ['--server', server.address, '--token', server.admin.token]
      const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
      const ofClient = (form: OutputForm) => follow([...as, '--of-client', clientId, '-o', form])
      const shown = {
        table: ofClient('table'),
        wide: ofClient('wide'),
        json: follow([...as, '--type', 'token.issued', '-o', 'json']),
        yaml: ofClient('yaml'),
        name: ofClient('name'),
      } satisfies Record<OutputForm, ReturnType<typeof follow>>
      const all = Object.values(shown)
      await expect.poll(() => server.app.auditWatches.open, PATIENCE).toBe(all.length)
      await server.call(TokenService.method.mintToken, { client })
      for (const { lines } of all) await expect.poll(() => lines.length, PATIENCE).toBeGreaterThan(0)
      const { event, cursor } = JSON.parse(shown.json.lines[0] ?? '')
      expect(event).toMatchObject({ eventType: 'token.issued', clientId })
      for (const { end } of all) end()
      expect(await Promise.all(all.map(({ ended }) => ended))).toEqual(all.map(() => 0))
      const line = new RegExp(`^\\d{4}-\\S+Z  token\\.issued +${clientId}  \\S+  by ${clientId}  ray `)
      for (const { lines } of [shown.table, shown.wide]) expect(lines).toEqual([expect.stringMatching(line)])
      expect(shown.json.lines).toHaveLength(1)
      expect(shown.yaml.lines[0]).toBe('---')
      expect(parse(shown.yaml.lines.join('\n'))).toMatchObject({ event })
      expect(shown.name.lines).toEqual([event.eventId])

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
