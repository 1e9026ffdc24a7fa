import { defineConfig } from 'vitest/config'
import { COMPILE_CACHE } from './test/setup/compile-cache.ts'
import { askedDatabases, COMMON_DATABASES, LONG_DATABASES, QUICK_DATABASES } from './test/setup/database-names.ts'
import { suitesOn } from './test/setup/transport-names.ts'

/**
 * What a test file needs, it says in its name: `revocation.database.test.ts`. Each file is in the one project that is
 * called like its need; a file that names none is in `unit`. What a transport must do runs once more on the other
 * transport. See docs/testing.md.
 */
const databasesOf = {
  /** A file of SQLite. */
  sqlite: ['sqlite'],
  /** Processes of the command line, or of other programs. */
  process: ['sqlite'],
  /** A database: the suite runs on each that the run is about. */
  database: askedDatabases(COMMON_DATABASES),
  /** A database server: the suite is about what SQLite has not. */
  servers: askedDatabases(),
  /** Minutes: the suite kills servers, starts processes by the dozen, or builds images and clients of other languages. */
  slow: askedDatabases(LONG_DATABASES),
} as const
const needs = Object.keys(databasesOf)

/** What a database must do, whichever it is: these suites run on all. */
const DEFINITIONS = [
  'test/races/**/*.database.test.ts',
  'test/stores/contract.database.test.ts',
  // Each plans for itself.
  'test/app/explain-sql.database.test.ts',
]
/** What callers must be answered, on whichever database. */
const CONFORMANCE = ['test/conformance/**/*.database.test.ts']

/** Load and kills, by the minute. Those of the races define what a database must do. */
const STORMS = ['test/!(races)/**/*.storm.slow.test.ts']
const excluded: Readonly<Record<string, string[]>> = { database: [...DEFINITIONS, ...CONFORMANCE], slow: STORMS }

/** What all projects have in common. */
const common = {
  // Processes, since the tests start threads, servers and native code. The files of a process share the modules that
  // they import: to import the server anew for each took a fifth of the time.
  pool: 'forks',
  isolate: false,
  setupFiles: 'test/setup/leave-no-trace.ts',
  // Against waiting for ever: how long a test takes on a machine with much to do says nothing.
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000 } },
} as const

// The processes of the test files compile what they import anew as well.
Object.assign(process.env, COMPILE_CACHE)

export default defineConfig({
  test: {
    maxWorkers: 4,
    reporters: ['default'],
    globalSetup: ['test/setup/left-out.ts'],
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [`test/**/*.{${needs.join(',')}}.test.ts`],
        },
      },
      ...Object.entries(databasesOf).map(([name, databases]) => ({
        test: {
          ...common,
          name,
          // What measures or exhausts its process has one of its own.
          isolate: name === 'slow',
          include: [`test/**/*.${name}.test.ts`],
          exclude: excluded[name] ?? [],
          globalSetup: ['test/setup/databases.ts'],
          provide: { databases },
        },
      })),
      // What a transport must do, on the one that is not the default.
      ...(['sqlite', 'process', 'slow'] as const).map((need) => ({
        test: {
          ...common,
          name: `grpc-js-${need}`,
          isolate: need === 'slow',
          include: suitesOn('grpc-js').map((suite) => `${suite}.${need}.test.ts`),
          globalSetup: ['test/setup/databases.ts'],
          provide: { databases: databasesOf[need] },
          env: { QSCOPE_GRPC_TRANSPORT: 'grpc-js' },
        },
      })),
      {
        test: {
          ...common,
          name: 'storm',
          isolate: true,
          include: STORMS,
          globalSetup: ['test/setup/databases.ts'],
          provide: { databases: askedDatabases(COMMON_DATABASES) },
        },
      },
      {
        test: {
          ...common,
          name: 'definition',
          include: DEFINITIONS,
          globalSetup: ['test/setup/databases.ts'],
          provide: { databases: askedDatabases() },
        },
      },
      {
        test: {
          ...common,
          name: 'conformance',
          include: CONFORMANCE,
          globalSetup: ['test/setup/databases.ts'],
          provide: { databases: askedDatabases(QUICK_DATABASES) },
        },
      },
    ],
  },
})
