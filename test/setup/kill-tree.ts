import { readdirSync, readFileSync } from 'node:fs'
import { signalProcess } from './signal-process.ts'

/** Kills a process and all its descendants at once, like a power cut. */
export function killTree(pid: number): void {
  // While it is stopped, it cannot start or reap processes.
  if (!signalProcess(pid, 'SIGSTOP')) return
  for (const child of childrenOf(pid)) killTree(child)
  signalProcess(pid, 'SIGKILL')
}

export function childrenOf(parent: number): number[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return processes.map(Number).filter((pid) => parentOf(pid) === parent)
}

function parentOf(pid: number): number | null {
  try {
    // The program name is in parentheses and may contain any character.
    const [, rest = ''] = /.*\) \S (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return Number.parseInt(rest, 10)
  } catch (error) {
    // It ended after it was listed.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return null
    throw error
  }
}
