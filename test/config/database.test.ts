import { X509Certificate } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { type Config, parseConfig } from '../../src/config/config.ts'
import { maskUrl } from '../../src/config/database-url.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'

const KEYS = { QSCOPE_KEYRING_FILE: '/run/keys.json' }

const configOf = (env: Record<string, string>): Config => parseConfig(readEnvironment({ ...KEYS, ...env }))

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    configOf(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

const folder = mkdtempSync(join(tmpdir(), 'qscope-config-'))
const caFile = join(folder, 'ca.pem')
const [root = ''] = rootCertificates
writeFileSync(caFile, root)

describe('the database', () => {
  test.each([
    ['mysql://u:p@db/q', ['db']],
    ['mariadb://u:p@h1:3306,h2:3307/q', ['h1', 'h2']],
    ['postgres://u:p@[::1],h2:5433/q', ['::1', 'h2']],
    ['postgresql://u:p@db/q', ['db']],
  ])('may be %s', (url, hosts) => {
    expect(configOf({ QSCOPE_DATABASE_URL: url }).database).toMatchObject({ url, embedded: false, file: null, hosts })
  })

  test('keeps expired rows at least as long as the clocks of two instances may differ', () => {
    const server = { QSCOPE_DATABASE_URL: 'postgres://u:p@db/q', QSCOPE_MAX_CLOCK_SKEW: '5m' }
    expect(problemsOf({ ...server, QSCOPE_PURGE_RETENTION: '599s' })).toEqual([
      'QSCOPE_PURGE_RETENTION: should be at least 10m, twice QSCOPE_MAX_CLOCK_SKEW: another instance may still accept rows that expired here',
    ])
    expect(problemsOf({ ...server, QSCOPE_PURGE_RETENTION: '10m' })).toEqual([])
    expect(problemsOf({ QSCOPE_MAX_CLOCK_SKEW: '5m', QSCOPE_PURGE_RETENTION: '1m' })).toEqual([])
  })

  test.each(['mysql://u:p@h1,/q', 'postgres://db', 'postgres://u:p@ss@db/q'])('may not be %s', (url) => {
    expect(problemsOf({ QSCOPE_DATABASE_URL: url })).toEqual([
      expect.stringMatching(
        /^QSCOPE_DATABASE_URL: should be sqlite:<path>, .*postgres:.*several hosts.*; its value is not shown/,
      ),
    ])
  })

  test.each([
    [
      'postgres://u:p@db/q?sslmode=hunter2&application_name=x',
      /has "sslmode", "application_name"; use the QSCOPE_DATABASE_…/,
    ],
    ['mysql://u:p@db/q?ssl=hunter2', /has "ssl"; /],
    ['sqlite:./q.db?mode=hunter2', /has "mode"$/],
  ])('takes no parameters: %s', (url, problem) => {
    const problems = problemsOf({ QSCOPE_DATABASE_URL: url })
    expect(problems).toEqual([expect.stringMatching(/^QSCOPE_DATABASE_URL: should have no parameters, but /)])
    expect(problems[0]).toMatch(problem)
    expect(problems[0]).not.toContain('hunter2')
  })
})

describe('connections', () => {
  test('have the default number and time limits', () => {
    expect(configOf({})).toMatchObject({
      connections: {
        walLimit: 67_108_864,
        poolSize: 15,
        connectTimeoutMs: 5_000,
        statementTimeoutMs: 10_000,
        tls: null,
      },
      maxQueuedCalls: 10_000,
      healthIntervalMs: 1_000,
    })
  })

  test('have the configured number and time limits', () => {
    const env = {
      QSCOPE_DATABASE_POOL_SIZE: '500',
      QSCOPE_DATABASE_CONNECT_TIMEOUT: '100ms',
      QSCOPE_DATABASE_STATEMENT_TIMEOUT: '2.5s',
      QSCOPE_DATABASE_MAX_QUEUED_CALLS: '1',
      QSCOPE_DATABASE_HEALTH_INTERVAL: '250ms',
    }
    const config = configOf(env)
    expect(config).toMatchObject({
      connections: { walLimit: 67_108_864, poolSize: 500, connectTimeoutMs: 100, statementTimeoutMs: 2_500 },
      maxQueuedCalls: 1,
      healthIntervalMs: 250,
    })
    const shown = Object.fromEntries(config.settings.map(({ name, value }) => [name, value]))
    expect(shown).toMatchObject({ ...env, QSCOPE_DATABASE_STATEMENT_TIMEOUT: '2500ms', QSCOPE_DATABASE_TLS: 'off' })
  })

  test.each([
    ['QSCOPE_DATABASE_POOL_SIZE', ['2', '501', '3.5', 'many']],
    ['QSCOPE_DATABASE_CONNECT_TIMEOUT', ['99ms', '61s', '5']],
    ['QSCOPE_DATABASE_STATEMENT_TIMEOUT', ['999ms', '11m', '0s']],
    ['QSCOPE_DATABASE_MAX_QUEUED_CALLS', ['0', '1000001', '-1']],
    ['QSCOPE_DATABASE_HEALTH_INTERVAL', ['99ms', '61s', '1']],
    ['QSCOPE_DATABASE_TLS', ['yes', '1']],
  ])('have bounds: %s rejects %j', (name, values) => {
    for (const value of values) {
      expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(`^${name}: should be .*, not "${value}"$`)])
    }
  })
})

describe('TLS', () => {
  test('is on if configured, with the CAs that Node.js trusts', () => {
    expect(configOf({ QSCOPE_DATABASE_TLS: 'on' }).connections.tls).toEqual({ ca: null })
  })

  test('is on if certificates are given, and trusts only those', () => {
    const { tls } = configOf({ QSCOPE_DATABASE_CA_FILE: caFile }).connections
    expect(new X509Certificate(tls?.ca ?? '').fingerprint256).toBe(new X509Certificate(root).fingerprint256)
  })

  test('stays off if configured, with a warning that the certificates are not used', () => {
    const config = configOf({ QSCOPE_DATABASE_CA_FILE: caFile, QSCOPE_DATABASE_TLS: 'off' })
    expect(config.connections.tls).toBeNull()
    expect(config.warnings).toEqual([expect.stringMatching(/^QSCOPE_DATABASE_CA_FILE is not used/)])
  })

  test('needs readable certificates, reported with the other problems', () => {
    const none = join(folder, 'none.pem')
    const notPem = join(folder, 'not.pem')
    writeFileSync(notPem, 'hello')
    expect(problemsOf({ QSCOPE_DATABASE_CA_FILE: none, QSCOPE_DATABASE_POOL_SIZE: '1' })).toEqual([
      expect.stringMatching(/^QSCOPE_DATABASE_CA_FILE: should be the path of .* PEM, not ".*none\.pem": ENOENT/),
      expect.stringMatching(/^QSCOPE_DATABASE_POOL_SIZE: /),
    ])
    expect(problemsOf({ QSCOPE_DATABASE_CA_FILE: notPem })).toEqual([
      expect.stringMatching(/^QSCOPE_DATABASE_CA_FILE: should be .*, not ".*not\.pem": /),
    ])
  })
})

describe('a URL that is shown', () => {
  test.each([
    ['mysql://u:hunter2@h1:3306,h2:3306/db', 'mysql://u:***@h1:3306,h2:3306/db'],
    ['postgres://u:hunter2@[::1]:5432,[::2]/db', 'postgres://u:***@[::1]:5432,[::2]/db'],
    ['postgres://:hunter2@h/db', 'postgres://:***@h/db'],
    ['mysql://u@h1:3306,h2:3306/db', 'mysql://u@h1:3306,h2:3306/db'],
    ['mysql://h1:3306,h2:3306/db', 'mysql://h1:3306,h2:3306/db'],
    ['sqlite:/srv/a:b@c.db', 'sqlite:/srv/a:b@c.db'],
  ])('%s is shown as %s', (url, shown) => {
    expect(maskUrl(url)).toBe(shown)
  })

  test.each([
    'mysql://u:hunter2@ss@h/db',
    'mysql://u:/hunter2?#@h/db',
    'mysql://u:p@h1,u:hunter2@h2/db',
    'mysql:u:hunter2@h/db',
    'u:hunter2@h/db',
    'mysql://h/db?hunter2',
    'host=h password=hunter2',
    'postgres://h/db?password=hunter2',
  ])('hides the password even if it is malformed: %s', (url) => {
    expect(maskUrl(url)).not.toContain('hunter2')
  })
})
