import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startEcho } from './peer.ts'

// A server in its own process, so that its memory can be measured without that of its clients.
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const { port, application } = await startEcho()
process.send?.({ port })
process.on('message', () => {
  // The calls that the application records for tests do not belong to the memory of a connection.
  application.calls.splice(0)
  collect()
  const { heapUsed, external, rss } = process.memoryUsage()
  process.send?.({ held: heapUsed + external, rss })
})
process.on('disconnect', () => process.exit())
