import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { transportVariables } from '../setup/transport-names.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
/** The limit of a wait. It is high, since a start on a busy machine is slow. */
const START_TIMEOUT_MS = 120_000

/** A directory that is removed when the test ends. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'qscope-e2e-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Starts the command line as a process. */
export function qscope(directory: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(ROOT, 'src', 'main.ts'), ...args], {
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', HOME: directory, ...COMPILE_CACHE, ...transportVariables(), ...env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return watched(child)
}

/** The output of a process, and its end. */
export function watched(child: ChildProcessWithoutNullStreams) {
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) => {
    child.on('close', (code, signal) => done({ code, signal }))
  })
  return {
    child,
    ended,
    get stdout() {
      return stdout
    },
    get stderr() {
      return stderr
    },
    /** Waits until standard output matches. */
    async until(pattern: RegExp): Promise<RegExpExecArray> {
      const end = Date.now() + START_TIMEOUT_MS
      while (Date.now() < end) {
        const match = pattern.exec(stdout)
        if (match !== null) return match
        if (child.exitCode !== null) break
        await new Promise((next) => setTimeout(next, 10))
      }
      throw new Error(`standard output never matched ${pattern}:\n${stdout}\n${stderr}`)
    },
  }
}

/** Runs the command line to its end. */
export async function run(directory: string, args: readonly string[], env: Record<string, string> = {}) {
  const process_ = qscope(directory, args, env)
  process_.child.stdin.end()
  const { code } = await process_.ended
  return { code, stdout: process_.stdout, stderr: process_.stderr }
}
