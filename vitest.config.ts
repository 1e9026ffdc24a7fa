import { defineConfig } from 'vitest/config'
import { COMPILE_CACHE } from './test/setup/compile-cache.ts'

/**
 * Take some ten seconds and more each: they kill servers and databases or start commands by the dozen, build images and clients
 * of other languages, or install from the registry. A run that is to be over in minutes leaves them to CI. See docs/testing.md.
 */
const LONG = [
  'test/app/key-rotation.test.ts',
  'test/attacks/beside-honest-calls.test.ts',
  'test/attacks/floods.test.ts',
  'test/bench/**',
  'test/cli/audit.test.ts',
  'test/cli/doctor.test.ts',
  'test/cli/empty-folder.test.ts',
  'test/cli/health.test.ts',
  'test/cli/keyring.test.ts',
  'test/cli/local.test.ts',
  'test/cli/purge.test.ts',
  'test/cli/serve.test.ts',
  'test/cli/unreachable.test.ts',
  'test/cluster/**',
  'test/container/**',
  'test/crypto/keyring-rotation.test.ts',
  'test/deploy/makers.test.ts',
  'test/docs/cookbook.test.ts',
  'test/docs/flows.test.ts',
  'test/docs/newcomer.test.ts',
  'test/docs/operations.test.ts',
  'test/e2e/backup.test.ts',
  'test/e2e/database-server.test.ts',
  'test/e2e/draining-connections.test.ts',
  'test/e2e/failing-starts.test.ts',
  'test/e2e/faults.test.ts',
  'test/e2e/full-disk.test.ts',
  'test/e2e/jumping-clock.test.ts',
  'test/e2e/keyring-reload.test.ts',
  'test/e2e/killed-server.test.ts',
  'test/e2e/signals.test.ts',
  'test/e2e/stopped-server.test.ts',
  'test/e2e/tls.test.ts',
  'test/e2e/workers-reload.test.ts',
  'test/e2e/workers.test.ts',
  'test/transports/grpc/draining.test.ts',
  'test/transports/http/lifecycle.test.ts',
  'test/interop/**',
  'test/model/**',
  'test/races/fifo-limits.test.ts',
  'test/release/**',
  'test/services/audit-verification.test.ts',
  'test/services/authentication-timing.test.ts',
  'test/services/contention.test.ts',
  'test/stores/dumb-network.test.ts',
  'test/stores/schema-audit.test.ts',
  'test/stores/schema-interruptions.test.ts',
  'test/stores/schema-migrators.test.ts',
  'test/stores/schema-rolling.test.ts',
  'test/stores/schema-rows.test.ts',
  'test/stores/session-settings.test.ts',
  'test/stores/unconfirmed-commits.test.ts',
  'test/telemetry/trace-delivery.test.ts',
  'test/telemetry/traces.test.ts',
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
