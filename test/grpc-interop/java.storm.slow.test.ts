import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cacheFolder, run } from '../interop/toolchain.ts'
import { GRPC_JAVA_LIBRARIES, hasGrpcJava } from '../setup/grpc-java.ts'
import { inFull } from '../setup/scale.ts'
import { ALL_SERVERS, CASES, COMPRESSION_CASES, describeClient } from './client-suite.ts'

const hasJava = hasGrpcJava("the interoperability tests by grpc-java's own client")
const PROGRAM = 'io.grpc.testing.integration.TestServiceClient'
/** Of runs that are this short, nothing is gained by compiling well or collecting in parallel. */
const JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(GRPC_JAVA_LIBRARIES, '*')]
/** How long a call may take on a machine that is busy otherwise. */
const SOAK = ['--soak_per_iteration_max_acceptable_latency_ms=20000', '--soak_overall_timeout_seconds=120']
const PASSWORD = 'changeit'

const stores = new Map<string, Promise<string>>()

/** The CA as Java takes it. */
function trustStoreOf(caFile: string): Promise<string> {
  const store = `${caFile}.p12`
  const to = ['-keystore', store, '-storetype', 'PKCS12', '-storepass', PASSWORD]
  const made =
    stores.get(caFile) ??
    run('keytool', ['-importcert', '-noprompt', '-alias', 'ca', '-file', caFile, ...to]).then(() => store)
  stores.set(caFile, made)
  return made
}

describeClient(hasJava, {
  name: "grpc-java's own client",
  build: async () => undefined,
  cases: (transport) => [
    ...CASES,
    ...(transport === 'native' ? COMPRESSION_CASES : []),
    'very_large_request',
    'pick_first_unary',
    'rpc_soak',
    'channel_soak',
  ],
  alsoRunOn: inFull ? ALL_SERVERS : [],
  run: async (testCase, { port, caFile }) => {
    const trusted =
      caFile === null
        ? []
        : [`-Djavax.net.ssl.trustStore=${await trustStoreOf(caFile)}`, `-Djavax.net.ssl.trustStorePassword=${PASSWORD}`]
    const to = ['--server_host=localhost', `--server_port=${port}`, `--use_tls=${caFile !== null}`]
    const soak = testCase.endsWith('_soak') ? SOAK : []
    return await run('java', [...trusted, ...JVM, PROGRAM, ...to, ...soak, `--test_case=${testCase}`])
  },
})

describe.skipIf(!hasJava)('the protos of the test services', () => {
  it('are those that the client of grpc-java was made with', async () => {
    const own = join(import.meta.dirname, 'proto')
    const files = ['empty', 'messages', 'test'].map((name) => `grpc/testing/${name}.proto`)
    const unpacked = join(cacheFolder('grpc-java'), 'proto')
    mkdirSync(unpacked, { recursive: true })
    const library = readdirSync(GRPC_JAVA_LIBRARIES).find((name) => name.startsWith('grpc-interop-testing-')) ?? ''
    await run('jar', ['xf', join(GRPC_JAVA_LIBRARIES, library), ...files], { cwd: unpacked })
    for (const file of files) {
      expect(readFileSync(join(own, file), 'utf8'), file).toBe(readFileSync(join(unpacked, file), 'utf8'))
    }
  })
})
