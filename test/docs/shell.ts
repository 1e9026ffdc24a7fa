import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..', '..')
const TIMEOUT_MS = 120_000

/** Runs blocks one after the other in one shell that ends at the first failure; answers what each printed. */
export function runShell(blocks: readonly string[], variables: Record<string, string>): Promise<readonly string[]> {
  const MARK = '--- next block ---'
  const script = ['set -e', ...blocks.flatMap((block) => [`echo '${MARK}'`, block])].join('\n')
  const PATH = `${join(ROOT, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`
  const env = { PATH, HOME: process.env['HOME'] ?? ROOT, ...variables }
  return new Promise((done, failed) => {
    execFile('bash', ['-c', script], { cwd: ROOT, env, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error === null) done(stdout.split(`${MARK}\n`).slice(1))
      else failed(new Error(`a block failed:\n${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`))
    })
  })
}
