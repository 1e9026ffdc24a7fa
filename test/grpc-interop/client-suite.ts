import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GRPC_TRANSPORTS, type GrpcTransportName } from '../../src/config/variables.ts'
import { BUILD_MS } from '../interop/toolchain.ts'
import { certificateAuthority, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { TestService } from './gen/grpc/testing/test_pb.ts'
import type { TestServer } from './servers.ts'
import { startTestServer } from './start-test-server.ts'
import { requestOf, testMethod } from './test-call.ts'
import { testService } from './test-service.ts'

/**
 * The cases of gRPC's interoperability test descriptions that all its clients have and that
 * need no credentials of Google's.
 */
export const CASES = Object.freeze([
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'custom_metadata',
  'status_code_and_message',
  'special_status_message',
  'unimplemented_method',
  'unimplemented_service',
  'cancel_after_begin',
  'cancel_after_first_response',
  'timeout_on_sleeping_server',
])

/** A server on grpc-js is not told what came compressed, and cannot choose for each message. */
export const COMPRESSION_CASES = Object.freeze([
  'client_compressed_unary',
  'client_compressed_streaming',
  'server_compressed_unary',
  'server_compressed_streaming',
])

/** Where a client finds the server. */
export interface Target {
  readonly port: number
  /** The CA that issued the certificate for `localhost`; `null`: plaintext. */
  readonly caFile: string | null
}

/** A client of gRPC's interoperability tests. */
export interface InteropClient {
  readonly name: string
  build(): Promise<unknown>
  readonly cases: (transport: GrpcTransportName) => readonly string[]
  /** Which servers it is run against, beside `native` in plaintext. */
  readonly alsoRunOn: readonly (readonly [transport: GrpcTransportName, tls: boolean])[]
  /** Runs a case to its end; one that does not hold rejects with what the client said. */
  run(testCase: string, target: Target): Promise<unknown>
}

/** Runs all the cases of a client against servers of `grpc.testing.TestService`. */
export function describeClient(isPossible: boolean, client: InteropClient): void {
  describe.skipIf(!isPossible)(client.name, () => {
    const ca = certificateAuthority(suiteFolder(), 'ca')
    const identity = ca.issue('server', LOCAL_NAMES)
    beforeAll(() => client.build(), BUILD_MS)

    describe.each([['native', false] as const, ...client.alsoRunOn])(
      'and a server on %s (TLS: %s)',
      (transport, tls) => {
        const options = { tls: tls ? identity : null }
        const caFile = tls ? ca.certFile : null
        let server: TestServer
        beforeAll(async () => {
          server = await startTestServer(transport, testService(), options)
        })
        afterAll(() => server.stop())

        it.concurrent.each(client.cases(transport))('agree on %s', async (testCase) => {
          await client.run(testCase, { port: server.port, caFile })
        })

        it('do not agree where an answer is not what was asked for', async () => {
          const wrong = testMethod(TestService.method.unaryCall, async (call) => {
            await requestOf(call)
            await call.send({})
          })
          const other = await startTestServer(transport, [wrong], options)
          try {
            await expect(client.run('large_unary', { port: other.port, caFile })).rejects.toThrow(/large_unary/)
          } finally {
            await other.stop()
          }
        })
      },
    )
  })
}

/** What a client is run against in full, beside `native` in plaintext. */
export const ALL_SERVERS = Object.freeze(
  GRPC_TRANSPORTS.flatMap((transport) => [
    ...(transport === 'native' ? [] : [[transport, false] as const]),
    [transport, true] as const,
  ]),
)
