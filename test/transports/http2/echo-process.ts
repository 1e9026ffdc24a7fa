import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startEcho } from './peer.ts'

// A server in a process of its own, so that what it holds is not mixed with what its clients do.
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const { port, application } = await startEcho()
process.send?.({ port })
process.on('message', () => {
  // What the application remembers for its tests is not what a connection holds.
  application.calls.splice(0)
  collect()
  const { heapUsed, external, rss } = process.memoryUsage()
  process.send?.({ held: heapUsed + external, rss })
})
process.on('disconnect', () => process.exit())
