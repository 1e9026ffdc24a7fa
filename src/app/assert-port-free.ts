import { createServer } from 'node:net'
import { type Address, formatAddress } from '../config/address.ts'

const LISTENERS = Object.freeze({ QSCOPE_GRPC_LISTEN: 'gRPC', QSCOPE_HTTP_LISTEN: 'HTTP' })

/** The address that a variable says, with a port that is free where 0 asked for one. Throws an error of one line if nobody can listen there. */
export async function assertPortFree(variable: keyof typeof LISTENERS, address: Address): Promise<Address> {
  const { promise, resolve, reject } = Promise.withResolvers<Address>()
  const probe = createServer()
  probe.once('error', (error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EADDRINUSE' ? 'the address is already in use' : error.message
    const remedy = `${variable} should be another one, that this machine has and nothing else listens on`
    reject(
      new Error(`${LISTENERS[variable]} cannot listen on ${formatAddress(address)}: ${reason}; ${remedy}`, {
        cause: error,
      }),
    )
  })
  probe.listen({ host: address.host, port: address.port }, () => {
    const bound = probe.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
    probe.close(() => resolve({ ...address, port }))
  })
  return await promise
}
