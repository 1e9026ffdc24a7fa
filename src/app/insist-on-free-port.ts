import { createServer } from 'node:net'
import { type Address, formatAddress } from '../config/address.ts'

/** Throws an error of one line if the address cannot be had. `what` listens on it. */
export async function insistOnFreePort(what: string, address: Address): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const probe = createServer()
  probe.once('error', (error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EADDRINUSE' ? 'the address is already in use' : error.message
    reject(new Error(`${what} cannot listen on ${formatAddress(address)}: ${reason}`, { cause: error }))
  })
  probe.listen({ host: address.host, port: address.port }, () => probe.close(() => resolve()))
  await promise
}
