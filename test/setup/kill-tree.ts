import { readdirSync, readFileSync } from 'node:fs'

/** Kills a process and all its descendants at once, like a power cut. */
export function killTree(pid: number): void {
  // While it is stopped, it cannot start or reap processes.
  if (!signal(pid, 'SIGSTOP')) return
  for (const child of childrenOf(pid)) killTree(child)
  signal(pid, 'SIGKILL')
}

/** Whether the process existed. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
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
