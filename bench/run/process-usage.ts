import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts a process's time in hundredths of a second (`sysconf(_SC_CLK_TCK)`). */
const TICKS_PER_SECOND = 100
const UTIME = 11
const STIME = 12

/** The resource usage of a process and its children. */
export interface Usage {
  readonly cpuSeconds: number
  /** Of each process in bytes. */
  readonly resident: readonly number[]
}

/** `null`: there is no `/proc`. */
export function usageOf(pid: number): Usage | null {
  try {
    const all = [pid, ...descendants(pid)].map((each) => ({ cpu: cpuSeconds(each), resident: residentBytes(each) }))
    return {
      cpuSeconds: all.reduce((sum, each) => sum + each.cpu, 0),
      resident: all.map((each) => each.resident),
    }
  } catch {
    // Another operating system, or the process has just ended. The measurement continues without it.
    return null
  }
}

function descendants(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
  return children.flatMap((child) => [child, ...descendants(child)])
}

function cpuSeconds(pid: number): number {
  // The name in parentheses may contain spaces. The fields follow it.
  const [, fields = ''] = /\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
  const numbers = fields.split(' ').map(Number)
  return ((numbers[UTIME] ?? 0) + (numbers[STIME] ?? 0)) / TICKS_PER_SECOND
}

function residentBytes(pid: number): number {
  const [, kib = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1_024
}
