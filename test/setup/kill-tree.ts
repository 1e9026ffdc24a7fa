import { readdirSync, readFileSync } from 'node:fs'

/** Ends a process and all that it started, at once, as a power cut would. */
export function killTree(pid: number): void {
  // Stopped, it can neither start more nor mourn its children.
  if (!signal(pid, 'SIGSTOP')) return
  for (const child of childrenOf(pid)) killTree(child)
  signal(pid, 'SIGKILL')
}

/** Whether the process was there to be told. */
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
    // The name of the program, in brackets, may hold anything.
    const [, rest = ''] = /.*\) \S (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return Number.parseInt(rest, 10)
  } catch (error) {
    // Gone since it was listed.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return null
    throw error
  }
}
