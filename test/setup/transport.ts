import { loadTransport } from '../../src/app/grpc-transport.ts'
import type { OpenTransport } from '../../src/transports/grpc/transport.ts'
import { testedTransportName } from './transport-names.ts'

/** The transport of this run. vitest.config.ts runs some suites once on each. */
export async function testedTransport(): Promise<OpenTransport> {
  return await loadTransport(testedTransportName())
}
