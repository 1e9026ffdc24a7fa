import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'

export const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

/** A new empty directory. */
export function emptyFolder(): string {
  return mkdtempSync(join(tmpdir(), 'qscope-cli-'))
}

/** A directory with an embedded database that is still empty, and no keyring. */
export async function folderWithDatabase(): Promise<string> {
  const folder = emptyFolder()
  const { code, stderr } = await qscope(folder, ['migrate', 'up'])
  if (code !== 0) throw new Error(stderr)
  return folder
}

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The line that names the database of a command. */
export const DATABASE_NOTICE = /^qscope: working on .*\n/

/**
 * Runs the real command line in a folder, only with the given variables, and with contexts in the folder.
 * Standard error is without the line that names the database, unless it is about that.
 */
export function qscope(folder: string, args: readonly string[], env: Record<string, string> = {}, stdin = '') {
  return run(folder, args, env, stdin).then(({ stderr, ...outcome }) => ({
    ...outcome,
    stderr: stderr.replace(DATABASE_NOTICE, ''),
  }))
}

export function run(folder: string, args: readonly string[], env: Record<string, string> = {}, stdin = '') {
  return new Promise<Outcome>((resolve) => {
    const options = {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', XDG_CONFIG_HOME: join(folder, '.config'), ...COMPILE_CACHE, ...env },
      timeout: 120_000,
    }
    const child = execFile(process.execPath, [MAIN, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr })
    })
    child.stdin?.end(stdin)
  })
}
