import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { transportVariables } from '../setup/transport-names.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
/** Against waiting for ever; how long a start takes on a machine with much to do says nothing. */
const START_TIMEOUT_MS = 120_000

/** A directory of the test's own, removed when it ends. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'qscope-e2e-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** The command line as a process of its own. */
export function qscope(directory: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(ROOT, 'src', 'main.ts'), ...args], {
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', HOME: directory, ...COMPILE_CACHE, ...transportVariables(), ...env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return watched(child)
}

/** What a process prints, and how it ends. */
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

/** Runs to the end. */
export async function run(directory: string, args: readonly string[], env: Record<string, string> = {}) {
  const process_ = qscope(directory, args, env)
  process_.child.stdin.end()
  const { code } = await process_.ended
  return { code, stdout: process_.stdout, stderr: process_.stderr }
}
