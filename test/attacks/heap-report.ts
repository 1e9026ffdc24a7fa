/** Preloaded into a server under attack: reports its memory after garbage collection over the IPC channel. */
process.on('message', () => {
  globalThis.gc?.()
  // `external` includes array buffers.
  const { heapUsed, external } = process.memoryUsage()
  process.send?.(heapUsed + external)
})
// The channel does not keep the process alive.
process.channel?.unref()
