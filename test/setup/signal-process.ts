/** Whether the process, or for a negative number the process group, existed. Signal 0 only asks. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

export function isAlive(pid: number): boolean {
  return signalProcess(pid, 0)
}
