import { mkdtempSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { describeConfig, parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'

const configOf = (env: Record<string, string>) => parseConfig(readEnvironment(env))

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    configOf(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('an empty environment', () => {
  const config = configOf({})

  test('serves an embedded database on loopback', () => {
    expect(config).toMatchObject({
      database: { embedded: true, file: './data/qscope.db' },
      grpcListen: { host: '127.0.0.1', port: 50_051 },
      issuer: 'http://127.0.0.1:50051',
      errorDocsUrl: null,
      keyringFile: './data/qscope.keyring.json',
      log: { level: 'info', format: 'json' },
      reflection: true,
      insecure: false,
      shutdownGraceMs: 10_000,
      maxMessageBytes: 1_048_576,
      warnings: [],
    })
  })

  test('gives an immutable configuration', () => {
    expect(Object.isFrozen(config)).toBe(true)
  })

  test('treats empty variables as absent', () => {
    expect(configOf({ QSCOPE_GRPC_LISTEN: '', QSCOPE_LOG_LEVEL: '' })).toEqual(config)
  })
})

describe('QSCOPE_REFLECTION', () => {
  const exposed = {
    QSCOPE_GRPC_LISTEN: '0.0.0.0:50051',
    QSCOPE_INSECURE: '1',
    QSCOPE_ISSUER: 'https://tokens.example',
  }

  test('is by default on for loopback only', () => {
    expect(configOf({}).reflection).toBe(true)
    expect(configOf({ QSCOPE_GRPC_LISTEN: '[::1]:50051' }).reflection).toBe(true)
    expect(configOf(exposed).reflection).toBe(false)
    expect(configOf({ ...exposed, QSCOPE_REFLECTION: 'auto' }).reflection).toBe(false)
    expect(configOf({ ...exposed, QSCOPE_REFLECTION: 'on' }).reflection).toBe(true)
    expect(configOf({ QSCOPE_REFLECTION: 'off' }).reflection).toBe(false)
  })
})

describe('QSCOPE_WORKERS', () => {
  test('is one process, a given number, or one for each CPU', () => {
    expect(configOf({}).workers).toBe(1)
    expect(configOf({ QSCOPE_WORKERS: '3' }).workers).toBe(3)
    expect(configOf({ QSCOPE_WORKERS: 'auto' }).workers).toBe(Math.min(64, availableParallelism()))
    for (const value of ['0', '65', '-1', '2.5', 'all']) {
      expect(problemsOf({ QSCOPE_WORKERS: value })).toEqual([
        expect.stringMatching(/^QSCOPE_WORKERS: should be a whole/),
      ])
    }
  })

  test('is one process for a database in memory', () => {
    const inMemory = { QSCOPE_DATABASE_URL: 'sqlite::memory:' }
    expect(configOf({ ...inMemory, QSCOPE_WORKERS: 'auto' }).workers).toBe(1)
    expect(problemsOf({ ...inMemory, QSCOPE_WORKERS: '2' })).toEqual([
      'QSCOPE_WORKERS: should be 1: a database in memory can be used by one process only',
    ])
  })
})

describe('problems', () => {
  test('are reported all at once, each with its variable and the expected value', () => {
    const problems = problemsOf({
      QSCOPE_DATABASE_URL: 'oracle://localhost/x',
      QSCOPE_GRPC_LISTEN: 'here',
      QSCOPE_LOG_LEVEL: 'loud',
      QSCOPE_REFLECTION: 'maybe',
      QSCOPE_SHUTDOWN_GRACE: '10',
      QSCOPE_MAX_MESSAGE_BYTES: '12',
    })
    expect(problems).toEqual([
      expect.stringMatching(
        /^QSCOPE_DATABASE_URL: should be sqlite:.*; its value is not shown, because it may hold a secret$/,
      ),
      expect.stringMatching(/^QSCOPE_GRPC_LISTEN: should be host:port.* not "here"$/),
      expect.stringMatching(/^QSCOPE_LOG_LEVEL: should be one of debug, info.* not "loud"$/),
      expect.stringMatching(/^QSCOPE_REFLECTION: should be on, off, or auto.* not "maybe"$/),
      expect.stringMatching(/^QSCOPE_SHUTDOWN_GRACE: should be a duration/),
      expect.stringMatching(/^QSCOPE_MAX_MESSAGE_BYTES: should be a whole number from 1024/),
    ])
  })

  test('never show a password', () => {
    expect(problemsOf({ QSCOPE_DATABASE_URL: 'oracle://me:hunter2@db/x' }).join()).not.toContain('hunter2')
  })

  test.each(['0.0.0.0:50051', '[::]:1', '10.0.0.7:50051', 'example.com:443'])(
    'include plaintext on %s, which is reachable from outside',
    (listen) => {
      const [problem] = problemsOf({ QSCOPE_GRPC_LISTEN: listen, QSCOPE_ISSUER: 'https://tokens.example' })
      expect(problem).toMatch(/^QSCOPE_GRPC_LISTEN: should be a loopback address.*QSCOPE_INSECURE=1/)
    },
  )

  test('include an http issuer that is not on loopback', () => {
    expect(problemsOf({ QSCOPE_ISSUER: 'http://tokens.example' })[0]).toMatch(/^QSCOPE_ISSUER: should be an https URL/)
    expect(problemsOf({ QSCOPE_ISSUER: 'https://tokens.example/?x' })[0]).toMatch(/^QSCOPE_ISSUER/)
  })

  test('include a database on a server without a keyring file', () => {
    expect(problemsOf({ QSCOPE_DATABASE_URL: 'mysql://u:p@db/qscope' })).toEqual([
      expect.stringMatching(/^QSCOPE_KEYRING_FILE: should be the path of the keyring file/),
    ])
  })
})

describe('what is allowed', () => {
  test.each([
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['[::1]:50051', { host: '::1', port: 50_051 }],
    ['localhost:50051', { host: 'localhost', port: 50_051 }],
  ])('listens on %s', (listen, expected) => {
    expect(configOf({ QSCOPE_GRPC_LISTEN: listen }).grpcListen).toEqual(expected)
  })

  test('signs with one of three algorithms, and rotates keys if configured', () => {
    expect(configOf({})).toMatchObject({ signingAlgorithm: 'ES256', signingKeyRotationMs: null })
    const told = configOf({ QSCOPE_SIGNING_ALGORITHM: 'RS256', QSCOPE_SIGNING_KEY_ROTATION: '30d' })
    expect(told).toMatchObject({ signingAlgorithm: 'RS256', signingKeyRotationMs: 2_592_000_000 })
    expect(problemsOf({ QSCOPE_SIGNING_ALGORITHM: 'HS256', QSCOPE_SIGNING_KEY_ROTATION: '1h' })).toEqual([
      expect.stringMatching(/^QSCOPE_SIGNING_ALGORITHM: should be ES256, EdDSA or RS256/),
      expect.stringMatching(/^QSCOPE_SIGNING_KEY_ROTATION: should be a duration from 1d to 365d/),
    ])
  })

  test('plaintext outside loopback if configured, with a warning about the issuer', () => {
    const config = configOf({ QSCOPE_GRPC_LISTEN: '0.0.0.0:50051', QSCOPE_INSECURE: '1' })
    expect(config.warnings).toEqual([expect.stringContaining('QSCOPE_ISSUER')])
  })

  test('a database in memory has its keys in memory', () => {
    expect(configOf({ QSCOPE_DATABASE_URL: 'sqlite::memory:' })).toMatchObject({ keyringFile: null })
  })

  test('a MySQL database with a keyring file', () => {
    const config = configOf({ QSCOPE_DATABASE_URL: 'mysql://u:p@db:3306/q', QSCOPE_KEYRING_FILE: '/run/keys.json' })
    expect(config).toMatchObject({ database: { embedded: false, file: null }, keyringFile: '/run/keys.json' })
  })
})

describe('unknown variables', () => {
  test('are reported with the likely intended name', () => {
    const { warnings } = configOf({
      QSCOPE_LISTEN_GRPC: 'x',
      QSCOPE_LISTEN: 'x',
      QSCOPE_COLOUR: 'x',
      QSCOPE_LOGLEVEL: 'info',
      OTHER: 'y',
    })
    expect(warnings).toEqual([
      'QSCOPE_LISTEN_GRPC is unknown and ignored; did you mean QSCOPE_GRPC_LISTEN?',
      'QSCOPE_LISTEN is unknown and ignored; did you mean QSCOPE_GRPC_LISTEN?',
      'QSCOPE_COLOUR is unknown and ignored',
      'QSCOPE_LOGLEVEL is unknown and ignored; did you mean QSCOPE_LOG_LEVEL?',
    ])
  })
})

describe('secrets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'qscope-config-'))
  const path = join(folder, 'url')
  writeFileSync(path, 'mysql://me:hunter2@db/q\n')
  const env = { QSCOPE_DATABASE_URL_FILE: path, QSCOPE_KEYRING_FILE: '/run/keys.json' }

  test('can come from files', () => {
    expect(configOf(env).database.url).toBe('mysql://me:hunter2@db/q')
  })

  test('are masked where the configuration is shown', () => {
    const settings = describeConfig(configOf(env))
    expect(settings[0]).toEqual({ name: 'QSCOPE_DATABASE_URL', value: 'mysql://me:***@db/q', source: 'file' })
    expect(JSON.stringify(settings)).not.toContain('hunter2')
  })

  test('given twice, or in a file that cannot be read, are problems', () => {
    expect(problemsOf({ ...env, QSCOPE_DATABASE_URL: 'sqlite:x.db' })).toEqual([
      'QSCOPE_DATABASE_URL_FILE: QSCOPE_DATABASE_URL is set as well; set only one of them',
    ])
    expect(problemsOf({ QSCOPE_DATABASE_URL_FILE: join(folder, 'none') })[0]).toMatch(
      /^QSCOPE_DATABASE_URL_FILE: should be the path of a readable file/,
    )
  })
})
