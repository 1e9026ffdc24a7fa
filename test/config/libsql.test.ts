import { describe, expect, it, test } from 'vitest'
import { type Config, parseConfig } from '../../src/config/config.ts'
import { maskUrl } from '../../src/config/database-url.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'

const KEYRING = { QSCOPE_KEYRING_FILE: '/nowhere/keyring.json' }
const TOKEN = 'eyJ.token-that-nobody-sees'

function parse(variables: Readonly<Record<string, string>>): Config {
  return parseConfig(readEnvironment({ ...KEYRING, ...variables }))
}

function problemsOf(variables: Readonly<Record<string, string>>): readonly string[] {
  try {
    parse(variables)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('the URL of a database of libSQL', () => {
  test.each([
    ['libsql:./data/x.db', './data/x.db'],
    ['libsql:/data/x.db', '/data/x.db'],
    ['libsql:///data/x.db', '/data/x.db'],
    ['LIBSQL:x.db', 'x.db'],
  ])('%s names a file', (url, file) => {
    expect(parse({ QSCOPE_DATABASE_URL: url }).database).toMatchObject({ embedded: true, file, libsql: null })
  })

  test.each([
    ['libsql://db.example', 'https://db.example/', false],
    ['libsql://db.example:8080/name', 'https://db.example:8080/name/', false],
    ['https://db.example/', 'https://db.example/', false],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/', true],
    ['http://[::1]:8080', 'http://[::1]:8080/', true],
  ])('%s names a server', (url, base, plaintext) => {
    const { connections, database } = parse({ QSCOPE_DATABASE_URL: url })
    expect(database).toMatchObject({ embedded: false, file: null, libsql: { base, plaintext } })
    expect(connections.tls).toEqual(plaintext ? null : { ca: null })
  })

  test.each(['libsql://user:hunter2@db', 'https://db/#x', 'libsql://', 'https://db:99999', 'http:db', 'libsql://d b'])(
    'is none: %s',
    (url) => {
      const [problem, ...more] = problemsOf({ QSCOPE_DATABASE_URL: url })
      expect(problem).toMatch(/^QSCOPE_DATABASE_URL: should be /)
      expect(problem).not.toContain('hunter2')
      expect(more).toEqual([])
    },
  )

  it('takes no parameters, and does not show a token in one', () => {
    const url = `libsql://db.example?authToken=${TOKEN}`
    const [problem] = problemsOf({ QSCOPE_DATABASE_URL: url })
    expect(problem).toBe(
      'QSCOPE_DATABASE_URL: should have no parameters, but has "authToken"; use the QSCOPE_DATABASE_… variables instead',
    )
    expect(maskUrl(url)).toBe('libsql://db.example')
  })

  it('is encrypted beyond this machine, unless plaintext is explicitly allowed', () => {
    const url = { QSCOPE_DATABASE_URL: 'http://db.example:8080' }
    expect(problemsOf(url)).toEqual([
      'QSCOPE_DATABASE_URL: should be an https URL: db.example is another machine, and the token would be sent in plaintext; QSCOPE_INSECURE=1 allows it',
    ])
    expect(parse({ ...url, QSCOPE_INSECURE: '1' }).warnings).toEqual([
      'QSCOPE_DATABASE_URL is an http URL: statements and rows are sent to and from db.example in plaintext',
    ])
  })

  it('determines whether it is encrypted', () => {
    expect(problemsOf({ QSCOPE_DATABASE_URL: 'libsql://db.example', QSCOPE_DATABASE_TLS: 'off' })).toEqual([
      'QSCOPE_DATABASE_TLS: should not be set: the URL of the database says https',
    ])
    expect(problemsOf({ QSCOPE_DATABASE_URL: 'http://localhost:1', QSCOPE_DATABASE_TLS: 'on' })).toEqual([
      'QSCOPE_DATABASE_TLS: should not be set: the URL of the database says http',
    ])
    expect(parse({ QSCOPE_DATABASE_URL: 'libsql://db.example', QSCOPE_DATABASE_TLS: 'on' }).connections.tls).toEqual({
      ca: null,
    })
  })
})

describe('the token of a database', () => {
  const REFUSED = 'QSCOPE_DATABASE_AUTH_TOKEN: should not be set: only a libSQL server (libsql://host) takes a token'

  it('is used with a libSQL database on a server, and is never shown', () => {
    const config = parse({ QSCOPE_DATABASE_URL: 'libsql://db.example', QSCOPE_DATABASE_AUTH_TOKEN: TOKEN })
    expect(config.connections.authToken).toBe(TOKEN)
    expect(JSON.stringify(config.settings)).not.toContain(TOKEN)
  })

  test.each(['sqlite:./x.db', 'libsql:./x.db', 'mysql://u:p@h/db'])('is refused beside %s', (url) => {
    expect(problemsOf({ QSCOPE_DATABASE_URL: url, QSCOPE_DATABASE_AUTH_TOKEN: TOKEN })).toEqual([REFUSED])
  })

  test.each(['two words', 'line\nend', 'ünicode'])('is not quoted if it is malformed: %j', (token) => {
    expect(problemsOf({ QSCOPE_DATABASE_URL: 'libsql://db.example', QSCOPE_DATABASE_AUTH_TOKEN: token })).toEqual([
      'QSCOPE_DATABASE_AUTH_TOKEN: should be a token that allows reading and writing a libSQL database on a server, on one line without white space; its value is not shown, because it may hold a secret',
    ])
  })
})
