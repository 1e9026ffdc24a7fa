import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { describeConfig, parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { KNOWN_VARIABLES } from '../../src/config/variables.ts'
import { emptyFolder, qscope } from '../cli/process.ts'

const TIMEOUT = 60_000
const PASSWORD = 'hunter2'

/** Malformed in the ways that people write connection strings, each with the password in another place. */
const MALFORMED = [
  `host=h user=u password=${PASSWORD} dbname=q`,
  `Server=h;Uid=u;Pwd=${PASSWORD};`,
  `mysql://u:${PASSWORD}@h`,
  `mysql://u:p@${PASSWORD}@h/q`,
  `mysql://u:pa#${PASSWORD}@h/q`,
  `mysql://u:pa?${PASSWORD}=1@h/q`,
  `mysql://u:p@h/q?${PASSWORD}`,
  `mysql://u:p@h/q?password=${PASSWORD}`,
  `mysql://${PASSWORD}@/q`,
  `jdbc:mysql://h/q?user=u&password=${PASSWORD}`,
  `sqlite:./q.db?key=${PASSWORD}`,
  `sqlite:./q.db?${PASSWORD}`,
  PASSWORD,
]

function everythingSaid(env: Record<string, string>): string {
  try {
    const config = parseConfig(readEnvironment(env))
    return JSON.stringify([config.warnings, describeConfig(config)])
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return [...error.problems, error.stack].join('\n')
  }
}

describe('the value of a secret variable', () => {
  test.each(MALFORMED)('is not quoted if it is malformed: %s', (url) => {
    const said = everythingSaid({ QSCOPE_DATABASE_URL: url, QSCOPE_KEYRING_FILE: '/run/keys.json' })
    expect(said).toContain('QSCOPE_DATABASE_URL: should ')
    expect(said).not.toContain(PASSWORD)
  })

  const secret = [...KNOWN_VARIABLES].filter(([, variable]) => variable.secret === true).map(([name]) => name)

  test.each(secret)('is not quoted if it is in %s_FILE instead of a path', (name) => {
    for (const value of [PASSWORD, `mysql://u:${PASSWORD}@h/q`, `qcs_${PASSWORD}`.padEnd(5_000, 'x')]) {
      const said = everythingSaid({ [`${name}_FILE`]: value })
      expect(said).toContain(`${name}_FILE: should be the path of a readable file, but `)
      expect(said).not.toContain(PASSWORD)
    }
  })

  test.each(['serve', 'config', 'doctor', 'migrate up', 'client list', 'health'])(
    'is not quoted by qscope %s',
    async (command) => {
      const folder = emptyFolder()
      const env = { QSCOPE_DATABASE_URL: `host=h password=${PASSWORD}`, QSCOPE_CLIENT_SECRET_FILE: join('/', PASSWORD) }
      const { code, stdout, stderr } = await qscope(folder, command.split(' '), env)
      expect(code).toBe(1)
      expect(stdout + stderr).toContain('QSCOPE_DATABASE_URL')
      expect(stdout + stderr).not.toContain(PASSWORD)
    },
    TIMEOUT,
  )

  test.each([[`bad\ntoken ${PASSWORD}`], [`tökén-${PASSWORD}`]])(
    'is not quoted if a header cannot contain it: %j',
    async (token) => {
      const { code, stderr } = await qscope(emptyFolder(), ['client', 'list', '--server', '127.0.0.1:1'], {
        QSCOPE_TOKEN: token,
      })
      expect(code).toBe(2)
      expect(stderr).not.toContain(PASSWORD)
    },
    TIMEOUT,
  )

  test(
    'is not quoted if it is in --client-secret-file',
    async () => {
      const args = ['client', 'list', '--client-id', 'a', '--client-secret-file', `qcs_${PASSWORD}`]
      const { code, stderr } = await qscope(emptyFolder(), args)
      expect(code).toBe(2)
      expect(stderr).toContain('the file does not exist')
      expect(stderr).not.toContain(PASSWORD)
    },
    TIMEOUT,
  )
})

describe('the value of any other variable', () => {
  test.each([
    ['QSCOPE_ISSUER', `https://u:${PASSWORD}@h/x`],
    ['QSCOPE_ISSUER', `https://${PASSWORD}@h/x`],
    ['QSCOPE_OTLP_ENDPOINT', `https://u:${PASSWORD}@h`],
    ['QSCOPE_HTTP_URL', `https://u:${PASSWORD}@h/x`],
    ['QSCOPE_GRPC_LISTEN', `mysql://u:${PASSWORD}@h/q`],
    ['QSCOPE_GRPC_LISTEN', `host=h password=${PASSWORD}`],
    ['QSCOPE_LOG_LEVEL', `qcs_${PASSWORD}aaaaaaaaaaaaaa`],
  ])('is quoted with possible secrets masked: %s=%s', (name, value) => {
    const said = everythingSaid({ [name]: value, QSCOPE_HTTP_LISTEN: '127.0.0.1:0' })
    expect(said).toContain(`${name}: should be`)
    expect(said).not.toContain(PASSWORD)
  })

  test('is quoted otherwise', () => {
    expect(everythingSaid({ QSCOPE_LOG_LEVEL: 'loud' })).toContain(', not "loud"')
  })
})
