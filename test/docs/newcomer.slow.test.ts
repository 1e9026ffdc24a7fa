import { execFileSync, spawn } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory, watched } from '../e2e/process.ts'
import { freePort } from '../setup/free-port.ts'
import { hasGrpcurl } from '../setup/grpcurl.ts'
import { hasJq } from '../setup/jq.ts'
import { signalProcess } from '../setup/signal-process.ts'
import { type Block, blocksOf, matchesJson, matchesText } from './page.ts'
import { asShown, isRefusal } from './recorded-page.ts'
import { DOCUMENTED_ADDRESS, runBlocks } from './shell.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const TIMEOUT_MS = 600_000
/** The address of the HTTP port in the pages. */
const DOCUMENTED_HTTP_ADDRESS = '127.0.0.1:8080'
/** What installs is done already, and what tests is being done. */
const DONE_ELSEWHERE = /^npm ci && npm (start|test)\n$/

/** The files of the repository in a folder of their own, with what `npm ci` installs and builds. */
async function checkout(): Promise<string> {
  const directory = join(await temporaryDirectory(), 'qscope')
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: ROOT })
  for (const name of list.toString().split('\0').filter(Boolean)) cpSync(join(ROOT, name), join(directory, name))
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  cpSync(join(ROOT, 'dist', 'console'), join(directory, 'dist', 'console'), { recursive: true })
  return directory
}

/** `npm start`, on ports that are free. */
async function start(cwd: string) {
  const address = `127.0.0.1:${await freePort()}`
  const http = `127.0.0.1:${await freePort()}`
  const env = { PATH: process.env['PATH'] ?? '', HOME: cwd, QSCOPE_GRPC_LISTEN: address, QSCOPE_HTTP_LISTEN: http }
  const child = spawn('npm', ['start'], { cwd, env, detached: true })
  onTestFinished(() => void signalProcess(-(child.pid ?? 0), 'SIGKILL'))
  const server = watched(child)
  await server.until(/grpcurl does the same/)
  const stdout = server.stdout.replaceAll(address, DOCUMENTED_ADDRESS).replaceAll(http, DOCUMENTED_HTTP_ADDRESS)
  return { address, stdout }
}

function isRun({ language, text }: Block): boolean {
  return language === 'sh' && !DONE_ELSEWHERE.test(text) && (hasGrpcurl || !text.includes('grpcurl '))
}

test.skipIf(!hasJq).each(['README.md', 'docs/quick-start.md', 'docs/command-line.md'])(
  'the commands of %s for newcomers work as described',
  async (page) => {
    const cwd = await checkout()
    const server = await start(cwd)
    const secret = /client secret {2}(\S+)/.exec(server.stdout)?.[1] ?? ''
    const blocks = blocksOf(readFileSync(join(ROOT, page), 'utf8'))
    const typed = [...blocks.keys()].filter((at) => isRun(blocks[at] ?? { language: '', text: '' }))
    expect(typed.length).toBeGreaterThan(2)
    const outputs = await runBlocks(
      typed.map((at) => ({ text: blocks[at]?.text ?? '', refused: isRefusal(blocks[at + 1]) })),
      { variables: { ADMIN_SECRET: secret }, address: server.address, cwd },
    )
    for (const [at, block] of blocks.entries()) {
      const before = blocks[at - 1]?.text ?? ''
      const index = typed.indexOf(at - 1)
      const printed = index === -1 ? server.stdout : asShown(block, outputs[index] ?? '', server.address)
      if (index === -1 && !DONE_ELSEWHERE.test(before)) continue
      if (block.language === 'json') {
        // What is left of a lifetime is masked in what was printed, and so in what is shown.
        const shown = asShown(block, block.text, server.address)
        expect(printed).toSatisfy((output) => matchesJson(shown, output), block.text)
      }
      if (block.language === 'text') expect(printed).toSatisfy((output) => matchesText(block.text, output), block.text)
    }
  },
  TIMEOUT_MS,
)
