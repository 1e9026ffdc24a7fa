import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { transportVariables } from '../setup/transport-names.ts'
import { LIMITS_OFF } from './limits-off.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const START_MS = 120_000
const STOP_MS = 3_000

/** A server in its own process, so that a crash does not end the tests. */
export interface Served {
  readonly address: string
  readonly port: number
  /** The secret of the client `admin`. */
  readonly secret: string
  /** Its standard output. */
  readonly output: () => string
  /** Its standard error, which contains its log. */
  readonly log: () => string
  /** Whether the process has ended. */
  readonly isGone: () => boolean
  /** Its memory in bytes after garbage collection. */
  heap(): Promise<number>
  stop(): Promise<void>
}

export async function serve(variables: Readonly<Record<string, string>> = {}): Promise<Served> {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-attack-'))
  const preload = ['--expose-gc', '--import', join(import.meta.dirname, 'heap-report.ts')]
  const child = spawn(process.execPath, [...preload, join(ROOT, 'src', 'main.ts'), 'serve'], {
    cwd: directory,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: directory,
      ...COMPILE_CACHE,
      QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
      QSCOPE_DATABASE_URL: 'sqlite:./qscope.db',
      QSCOPE_LOG_LEVEL: 'warn',
      ...LIMITS_OFF,
      ...transportVariables(),
      ...variables,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  const isGone = () => child.exitCode !== null || child.signalCode !== null
  const stop = async () => {
    const ended = new Promise((done) => child.once('exit', done))
    if (!isGone()) {
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await ended
      clearTimeout(late)
    }
    rmSync(directory, { recursive: true, force: true })
  }
  for (const until = Date.now() + START_MS; ; await new Promise((next) => setTimeout(next, 20))) {
    const [, address] = /listens on (\S+)/.exec(output.stdout) ?? []
    const [, secret] = /client secret {2}(\S+)/.exec(output.stdout) ?? []
    if (address !== undefined && secret !== undefined) {
      const port = Number(address.split(':').at(-1))
      return {
        address,
        port,
        secret,
        output: () => output.stdout,
        log: () => output.stderr,
        isGone,
        heap: () => heapOf(child),
        stop,
      }
    }
    if (isGone() || Date.now() > until) {
      await stop()
      throw new Error(`the server did not start:\n${output.stdout}\n${output.stderr}`)
    }
  }
}

function heapOf(child: ChildProcess): Promise<number> {
  return new Promise((done, failed) => {
    child.once('message', (bytes) => done(Number(bytes)))
    child.send('heap', (error) => error && failed(error))
  })
}
