import { spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Account } from './installed.ts'

/** Reads the guarded process id until the test process ends, in any way. */
const WATCH = `
while read -r line; do pid=$line; done
[ -z "$pid" ] || kill -9 "$pid"
sleep 1
rm -rf "$1"
`

/** A directory that is removed with the test process, together with the server in it, even after Ctrl-C or `kill -9`. */
export interface GuardedDirectory {
  readonly path: string
  /** Ends a process with the test process. `null`: none. */
  guard(pid: number | null): void
  remove(): void
}

/** Owned by the account, readable by all. */
export function makeGuardedDirectory(name: string, account: Account | null): GuardedDirectory {
  const path = mkdtempSync(join(tmpdir(), `qscope-${name}-`))
  // In its own session, so that Ctrl-C does not reach it.
  const watch = spawn('sh', ['-c', WATCH, 'sh', path], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  watch.unref()
  if (watch.stdin instanceof Socket) watch.stdin.unref()
  chmodSync(path, 0o755)
  if (account !== null) chownSync(path, account.uid, account.gid)
  return {
    path,
    guard: (pid) => void watch.stdin.write(`${pid ?? ''}\n`),
    remove: () => {
      rmSync(path, { recursive: true, force: true })
      watch.kill('SIGKILL')
    },
  }
}
