/** The processor time of this thread for `work`, in milliseconds. Other processes do not affect it. */
export function processorTimeOf(work: () => void): number {
  const before = process.threadCpuUsage()
  work()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1_000
}
