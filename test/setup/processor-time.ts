/** The processor time, in milliseconds, that this thread spends on `work`: what other processes do meanwhile does not count. */
export function processorTimeOf(work: () => void): number {
  const before = process.threadCpuUsage()
  work()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1_000
}
