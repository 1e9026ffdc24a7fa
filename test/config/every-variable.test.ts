import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Config, parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { Variable, type VariableTable } from '../../src/config/variable.ts'
import { CLIENT_VARIABLES, SERVER_VARIABLES, VARIABLES } from '../../src/config/variables.ts'

const NAMES = Object.keys(VARIABLES)
const EVERY = Object.entries<Variable>({ ...VARIABLES, ...CLIENT_VARIABLES })
const PAGE = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8')
const SECRET = 'hunter2-is-secret'
/** What nobody means, for whichever variable. */
const BAD: Readonly<Record<string, string>> = {
  'white space': ' ',
  'a tab': '\t',
  'a line end': '\n',
  'two lines': 'a\nQSCOPE_FAKE: b',
  'a word': 'nonsense value',
  'a negative number': '-1',
  'a number beyond all bounds': '99999999999999999999999',
  'no number': 'NaN',
  'an endless time': '1e400d',
  'a control character': '\u0007',
  'an escape sequence': '\u001b[31mred',
  'a direction mark': '\u202eabc',
  'letters of other scripts': 'зуб',
  'half of a surrogate pair': '\ud800',
  'a very long text': 'x'.repeat(100_000),
  'very many slashes': '/'.repeat(100_000),
  'a broken URL': 'https://',
  'a URL with white space': 'https://h/a b',
  'a URL with a broken percent': 'https://h/%zz',
  'a URL of another scheme': 'ftp://h/',
  'an address without a port': '127.0.0.1',
  'an address with port 65536': '127.0.0.1:65536',
  'an address with a zone': '[fe80::1%eth0]:50051',
  JSON: '{"a":1}',
  'a database nobody knows': `oracle://u:${SECRET}@h/db`,
  'a database without hosts': `mysql://u:${SECRET}@/db`,
}
const SOURCES = join(import.meta.dirname, '../../src')
/** What may use a variable: all but the rows themselves. */
const USERS = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !/^gen\/|^config\/[a-z-]*variables\.ts$/.test(file))
  .map((file) => readFileSync(join(SOURCES, file), 'utf8'))

function rowsOf(table: VariableTable): readonly (readonly [name: string, property: string])[] {
  return Object.entries(table).flatMap(([property, row]) =>
    row instanceof Variable ? [[row.name, property] as const] : rowsOf(row),
  )
}

/** Defaults follow from these, so that each may break them. */
const BESIDE: readonly Readonly<Record<string, string>>[] = [
  {},
  { QSCOPE_GRPC_LISTEN: 'here' },
  { QSCOPE_GRPC_LISTEN: '[fe80::1%eth0]:50051' },
  { QSCOPE_ISSUER: 'https://h/a b' },
  { QSCOPE_HTTP_LISTEN: '127.0.0.1:8080' },
  { QSCOPE_DATABASE_URL: 'mysql://u:p@h/db' },
  { QSCOPE_DATABASE_URL: 'libsql://h', QSCOPE_KEYRING_FILE: '/nowhere/keyring.json' },
  { QSCOPE_TLS_CERT_FILE: '/nowhere/cert.pem', QSCOPE_TLS_KEY_FILE: '/nowhere/key.pem' },
]

/** Anything but a configuration or a list of problems is thrown. */
function outcomeOf(variables: Readonly<Record<string, string>>): Config | readonly string[] {
  try {
    return parseConfig(readEnvironment(variables))
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

describe.each(Object.entries(BAD))('%s', (_what, value) => {
  it.each(NAMES)('in %s is accepted, or rejected with lines that each name a variable', (name) => {
    for (const beside of BESIDE) {
      const outcome = outcomeOf({ ...beside, [name]: value })
      if (!Array.isArray(outcome)) continue
      expect(outcome.length).toBeGreaterThan(0)
      for (const line of outcome) {
        expect(line).toMatch(/^QSCOPE_[A-Z_]+: ./)
        expect(line).not.toMatch(/\p{Cc}|\p{Cf}|\p{Cs}/u)
        expect(line.length).toBeLessThan(1_000)
        expect(line).not.toContain(SECRET)
        expect(line).not.toMatch(/"code":|invalid_/)
      }
    }
  })
})

describe('every variable', () => {
  it.each(NAMES.filter((name) => !/_FILE$|_URL$/.test(name)))('%s rejects unlikely values', (name) => {
    const beside: Readonly<Record<string, string>> =
      name === 'QSCOPE_HTTP_ALLOWED_ORIGINS' ? { QSCOPE_HTTP_LISTEN: '127.0.0.1:8080' } : {}
    const outcome = outcomeOf({ ...beside, [name]: 'nonsense value' })
    const told = expect.stringMatching(new RegExp(`^${name}: should .*(not "nonsense value"|its value is not shown)`))
    expect(outcome).toEqual(expect.arrayContaining([told]))
  })

  it.each(NAMES)('%s has a description, also in docs/configuration.md', (name) => {
    const { does } = Object.entries<Variable>(VARIABLES).find(([each]) => each === name)?.[1] ?? { does: '' }
    expect(does).toMatch(/^[A-Z].{20,}\.$/)
    expect(PAGE).toContain(`| ${does} |`)
  })

  it.each(EVERY)('%s shows a value: an example, its default, or a word of its type', (_name, row) => {
    const isAccepted = (value: string) => row.type.schema.safeParse(value).success
    const words = row.secret || isAccepted('any word') ? [] : row.shouldBe.split(/[\s,()]+/)
    const shown = [row.example, row.default, ...words].filter((value) => value !== null)
    expect(shown.filter((value) => value !== 'off' && (row.secret || isAccepted(value)))).not.toEqual([])
  })

  it.each(EVERY.filter(([, { example }]) => example !== null))('%s accepts its example', (name, row) => {
    if (row.secret) expect(row.example).toMatch(new RegExp(`^${name}_FILE=/`))
    else expect(row.type.schema.safeParse(row.example)).toMatchObject({ success: true })
    expect(PAGE).toContain(`. Example: \`${row.example}\` |`)
  })

  it.each(rowsOf(SERVER_VARIABLES))('%s is used by its property %s', (_name, property) => {
    const word = new RegExp(`\\b${property}\\b`)
    expect(USERS.some((text) => word.test(text))).toBe(true)
  })

  it('requires an issuer if none can be derived from the address', () => {
    expect(outcomeOf({ QSCOPE_GRPC_LISTEN: '[fe80::1%eth0]:50051', QSCOPE_INSECURE: '1' })).toEqual([
      expect.stringMatching(
        /^QSCOPE_ISSUER: should be set to an https URL.*QSCOPE_GRPC_LISTEN, "\[fe80::1%eth0\]:50051"$/,
      ),
    ])
  })

  it('keeps the value off', () => {
    expect(outcomeOf({ QSCOPE_PURGE_INTERVAL: 'off', QSCOPE_MINT_RATE: 'off' })).toMatchObject({
      purgeIntervalMs: null,
      limits: { mintRate: null },
    })
  })
})
