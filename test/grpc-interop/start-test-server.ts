import type { GrpcTransportName } from '../../src/config/variables.ts'
import { serveByGrpcJs } from './grpc-js-server.ts'
import { serveNatively } from './native-server.ts'
import type { TestServer, TestServerOptions } from './servers.ts'
import type { TestMethod } from './test-call.ts'

/** Serves methods on this transport, within the process of the tests. */
export function startTestServer(
  transport: GrpcTransportName,
  methods: readonly TestMethod[],
  options: TestServerOptions,
): Promise<TestServer> {
  return transport === 'native' ? serveNatively(methods, options) : serveByGrpcJs(methods, options)
}
