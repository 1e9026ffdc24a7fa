import { once } from 'node:events'
import type { Server } from 'node:net'

/** Binds a server to a free port of this machine. */
export async function listening(server: Server) {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  return { address: `127.0.0.1:${port}`, close: () => server.close() }
}
