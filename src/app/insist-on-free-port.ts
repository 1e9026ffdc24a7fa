import { createServer } from 'node:net'
import { type Address, formatAddress } from '../config/address.ts'

/** The address, with a port that is free where 0 asked for one. `what` listens on it; throws an error of one line if it cannot. */
export async function insistOnFreePort(what: string, address: Address): Promise<Address> {
  const { promise, resolve, reject } = Promise.withResolvers<Address>()
  const probe = createServer()
  probe.once('error', (error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EADDRINUSE' ? 'the address is already in use' : error.message
    reject(new Error(`${what} cannot listen on ${formatAddress(address)}: ${reason}`, { cause: error }))
  })
  probe.listen({ host: address.host, port: address.port }, () => {
    const bound = probe.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
    probe.close(() => resolve({ ...address, port }))
  })
  return await promise
}
