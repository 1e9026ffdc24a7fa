import { loadTransport } from '../../src/app/grpc-transport.ts'
import { GRPC_TRANSPORTS, type GrpcTransportName } from '../../src/config/variables.ts'
import type { OpenTransport } from '../../src/transports/grpc/transport.ts'

/** The transport that this run of a suite is about: vitest.config.ts runs those of transports once on each. */
export function testedTransportName(): GrpcTransportName {
  const wanted = process.env['QSCOPE_GRPC_TRANSPORT'] ?? 'native'
  const found = GRPC_TRANSPORTS.find((name) => name === wanted)
  if (found === undefined) throw new Error(`QSCOPE_GRPC_TRANSPORT should be one of ${GRPC_TRANSPORTS.join(', ')}`)
  return found
}

/** The same, ready to be opened. */
export async function testedTransport(): Promise<OpenTransport> {
  return await loadTransport(testedTransportName())
}
