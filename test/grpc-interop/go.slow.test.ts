import { run } from '../interop/toolchain.ts'
import { goProgram } from '../setup/go-programs.ts'
import { ALL_SERVERS, CASES, describeClient } from './client-suite.ts'

const CLIENT = goProgram('grpc-go-interop-client', "the interoperability tests by grpc-go's own client")
/** How long a call may take on a machine that is busy otherwise. */
const SOAK = ['-soak_per_iteration_max_acceptable_latency_ms', '20000', '-soak_overall_timeout_seconds', '120']

describeClient(CLIENT !== null, {
  name: "grpc-go's own client",
  build: async () => undefined,
  cases: () => [...CASES, 'pick_first_unary', 'rpc_soak', 'channel_soak'],
  alsoRunOn: ALL_SERVERS,
  run: (testCase, { port, caFile }) => {
    const tls = caFile === null ? [] : ['-use_tls', '-use_test_ca', '-ca_file', caFile]
    const soak = testCase.endsWith('_soak') ? SOAK : []
    const to = ['-server_host', 'localhost', '-server_port', `${port}`]
    return run(CLIENT ?? '', [...to, ...tls, ...soak, '-test_case', testCase])
  },
})
