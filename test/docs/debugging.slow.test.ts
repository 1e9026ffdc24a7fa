import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { qscope, temporaryDirectory, watched } from '../e2e/process.ts'
import { freePort } from '../setup/free-port.ts'
import { signalProcess } from '../setup/signal-process.ts'
import { startCollector } from '../telemetry/otlp-collector.ts'
import { Inspector } from './inspector.ts'
import { blocksOf, matchesJson, matchesText } from './page.ts'
import { asShown, isRefusal } from './recorded-page.ts'
import { DOCUMENTED_ADDRESS, runBlocks } from './shell.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const PAGE = readFileSync(join(ROOT, 'docs', 'debugging.md'), 'utf8')
const BLOCKS = blocksOf(PAGE)
const [DEBUG_SERVER = '', DEBUG_TEST = '', LOGGED_SERVER = ''] = BLOCKS.filter(
  ({ language }) => language === 'console',
).map(({ text }) => text.trim())
const PATIENCE = { timeout: 120_000, interval: 50 }

/** Runs a command of the page, with a port of the inspector that is free. */
async function debugged(command: string, env: Record<string, string> = {}) {
  const port = await freePort()
  expect(command).toContain('127.0.0.1:9229')
  const child = spawn(command.replace('127.0.0.1:9229', `127.0.0.1:${port}`), {
    shell: true,
    detached: true,
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', HOME: await temporaryDirectory(), ...env },
  })
  onTestFinished(() => {
    if (child.exitCode === null) signalProcess(-(child.pid ?? 0), 'SIGKILL')
  })
  return { process: watched(child), inspector: await Inspector.connect(await inspectorAt(port)) }
}

/** The URL of the inspector that listens there, once it does. */
async function inspectorAt(port: number): Promise<string> {
  let url = ''
  const ask = async () => {
    const targets: unknown = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()
    url = String(Array.isArray(targets) ? targets[0]?.webSocketDebuggerUrl : '')
    return url
  }
  await expect.poll(() => ask().catch(() => ''), PATIENCE).toMatch(/^ws:/)
  return url
}

/** The line of a source, counted from 0. */
function lineOf(file: string, text: string): number {
  const line = readFileSync(join(ROOT, file), 'utf8')
    .split('\n')
    .findIndex((each) => each.includes(text))
  expect(line).toBeGreaterThan(0)
  return line
}

test('a debugger stops the server where a call is validated, and lets it answer', async () => {
  const folder = await temporaryDirectory()
  const { process: server, inspector } = await debugged(DEBUG_SERVER, {
    QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
    QSCOPE_DATABASE_URL: `sqlite:${join(folder, 'qscope.db')}`,
  })
  const [, address = ''] = await server.until(/listens on (\S+)/)
  const [, secret = ''] = await server.until(/client secret {2}(\S+)/)
  const breakpoint = await inspector.breakInFile('src/rpc/stages\\.ts$', lineOf('src/rpc/stages.ts', "'request')"))
  const call = runBlocks(
    [
      {
        text: `buf curl --protocol grpc --http2-prior-knowledge -d '{"client": {"clientId": "admin", "clientSecret": "${secret}"}}' http://${DOCUMENTED_ADDRESS}/qscope.v1.TokenService/MintToken`,
      },
    ],
    { variables: {}, address },
  )
  expect(await inspector.paused()).toMatchObject({ breakpoints: [breakpoint], functionName: 'validateRequest' })
  await inspector.send('Debugger.resume')
  const [answer = ''] = await call
  expect(JSON.parse(answer)).toMatchObject({ token: { tokenType: 'Bearer' } })
})

test('a debugger stops one test file at a line of the source that it tests', async () => {
  const { process: run, inspector } = await debugged(DEBUG_TEST)
  const loaded = await inspector.breakInFile('src/domain/scopes\\.ts$', 0)
  await inspector.send('Runtime.runIfWaitingForDebugger')
  const { scriptId } = await inspector.resumeUntil(loaded)
  const called = await inspector.breakInScript(scriptId, 'SCOPE_TOKEN.test')
  await inspector.send('Debugger.resume')
  expect((await inspector.resumeUntil(called)).functionName).toBe('isScopeToken')
  // A process that is debugged does not end before its debugger has gone.
  inspector.close()
  expect(await run.ended).toEqual({ code: 0, signal: null })
  expect(run.stdout).toContain('1 passed')
})

test('a refusal leads by its ray id to the log, the trace and the audit event', async () => {
  const folder = await temporaryDirectory()
  const collector = await startCollector()
  onTestFinished(() => collector.stop())
  const database = { QSCOPE_DATABASE_URL: `sqlite:${join(folder, 'qscope.db')}` }
  const logging = Object.fromEntries(
    [...LOGGED_SERVER.matchAll(/(QSCOPE_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]),
  )
  expect(Object.keys(logging)).toEqual(['QSCOPE_LOG_LEVEL', 'QSCOPE_LOG_FORMAT'])
  expect(PAGE).toContain('QSCOPE_OTLP_ENDPOINT=')
  const server = qscope(folder, ['serve'], {
    ...database,
    ...logging,
    QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
    QSCOPE_OTLP_ENDPOINT: collector.url,
  })
  const log = join(folder, 'log')
  const [, address = ''] = await server.until(/listens on (\S+)/)
  const [, secret = ''] = await server.until(/client secret {2}(\S+)/)
  const variables = { ...database, ADMIN_SECRET: secret, LOG: log }
  for (const [at, { language, text }] of BLOCKS.entries()) {
    if (language !== 'sh') continue
    const shown = BLOCKS[at + 1]
    let printed = ''
    const isShown = async () => {
      await writeFile(log, server.stderr)
      const [output = ''] = await runBlocks([{ text, refused: isRefusal(shown) }], { variables, address })
      printed = asShown(shown, output, address)
      return (shown?.language === 'json' ? matchesJson : matchesText)(shown?.text ?? '', printed)
    }
    // Lines of the log and events may be on their way while the answer has come.
    await expect
      .poll(isShown, PATIENCE)
      .toBe(true)
      .catch((error: unknown) => {
        throw new Error(`${text}printed\n${printed}`, { cause: error })
      })
  }
  const [, traceId = ''] = /"rayId":"why-refused","traceId":"(\w+)"/.exec(server.stderr) ?? []
  const span = () => collector.spans.find(({ attributes }) => attributes['qscope.ray_id'] === 'why-refused')
  await expect.poll(() => span()?.traceId, PATIENCE).toBe(traceId)
  expect(server.stderr).not.toContain(secret)
})
