import { defineConfig } from 'vitest/config'
import { COMPILE_CACHE } from './test/setup/compile-cache.ts'

/**
 * Take some ten seconds and more each: they kill servers and databases or start commands by the dozen, build images and clients
 * of other languages, or install from the registry. A run that is to be over in minutes leaves them to CI. See docs/testing.md.
 */
const LONG = [
  'test/app/key-rotation.database.test.ts',
  'test/attacks/beside-honest-calls.storm.slow.test.ts',
  'test/attacks/floods.storm.slow.test.ts',
  'test/bench/**',
  'test/cli/audit.slow.test.ts',
  'test/cli/doctor.slow.test.ts',
  'test/cli/empty-folder.slow.test.ts',
  'test/cli/health.slow.test.ts',
  'test/cli/keyring.slow.test.ts',
  'test/cli/local.slow.test.ts',
  'test/cli/purge.slow.test.ts',
  'test/cli/serve.slow.test.ts',
  'test/cli/unreachable.slow.test.ts',
  'test/cluster/**',
  'test/container/**',
  'test/crypto/keyring-rotation.slow.test.ts',
  'test/deploy/makers.slow.test.ts',
  'test/docs/cookbook.slow.test.ts',
  'test/docs/flows.slow.test.ts',
  'test/docs/newcomer.slow.test.ts',
  'test/docs/operations.slow.test.ts',
  'test/e2e/backup.slow.test.ts',
  'test/e2e/database-server.slow.test.ts',
  'test/e2e/draining-connections.slow.test.ts',
  'test/e2e/failing-starts.slow.test.ts',
  'test/e2e/faults.slow.test.ts',
  'test/e2e/full-disk.slow.test.ts',
  'test/e2e/jumping-clock.storm.slow.test.ts',
  'test/e2e/keyring-reload.slow.test.ts',
  'test/e2e/killed-server.storm.slow.test.ts',
  'test/e2e/signals.slow.test.ts',
  'test/e2e/stopped-server.storm.slow.test.ts',
  'test/e2e/tls.slow.test.ts',
  'test/e2e/workers-reload.slow.test.ts',
  'test/e2e/workers.storm.slow.test.ts',
  'test/transports/grpc/draining.slow.test.ts',
  'test/transports/http/lifecycle.slow.test.ts',
  'test/interop/**',
  'test/model/**',
  'test/races/fifo-limits.storm.database.test.ts',
  'test/release/**',
  'test/services/audit-verification.database.test.ts',
  'test/services/authentication-timing.storm.slow.test.ts',
  'test/services/contention.database.test.ts',
  'test/stores/dumb-network.storm.slow.test.ts',
  'test/stores/schema-audit.slow.test.ts',
  'test/stores/schema-interruptions.storm.database.test.ts',
  'test/stores/schema-migrators.storm.slow.test.ts',
  'test/stores/schema-rolling.database.test.ts',
  'test/stores/schema-rows.database.test.ts',
  'test/stores/session-settings.slow.test.ts',
  'test/stores/unconfirmed-commits.servers.test.ts',
  'test/telemetry/trace-delivery.slow.test.ts',
  'test/telemetry/traces.database.test.ts',
]
const isShort = Number(process.env['QSCOPE_TEST_SCALE'] ?? '0.05') < 0.1
if (isShort) console.warn(`\n*** LEFT OUT below QSCOPE_TEST_SCALE=0.1: ${LONG.join(', ')} ***\n`)

// The processes of the test files compile what they import anew as well.
Object.assign(process.env, COMPILE_CACHE)

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', ...(isShort ? LONG : [])],
    globalSetup: ['test/setup/databases.ts'],
    // Each file in a process of its own: the tests start threads, servers and native code.
    pool: 'forks',
    maxWorkers: 2,
    // Against waiting for ever: how long a test takes on a machine with much to do says nothing.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    reporters: ['default'],
  },
})
