import { spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Account } from './installed.ts'

/** Reads which process is guarded until that of the tests is gone, however it went. */
const WATCH = `
while read -r line; do pid=$line; done
[ -z "$pid" ] || kill -9 "$pid"
sleep 1
rm -rf "$1"
`

/** A directory that does not outlive the process of the tests, nor does the server in it: not even by Ctrl-C or `kill -9`. */
export interface GuardedDirectory {
  readonly path: string
  /** Has a process end with that of the tests; `null`: none. */
  guard(pid: number | null): void
  remove(): void
}

/** Belongs to the account; anybody may look in. */
export function makeGuardedDirectory(name: string, account: Account | null): GuardedDirectory {
  const path = mkdtempSync(join(tmpdir(), `qscope-${name}-`))
  // In a session of its own, which no Ctrl-C reaches.
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
