import { describe, expect, it } from 'vitest'
import { describeConfig, parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'

const parse = (variables: Record<string, string>) => parseConfig(readEnvironment(variables))

function problemsOf(variables: Record<string, string>): readonly string[] {
  try {
    parse(variables)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('the port for HTTP', () => {
  it('is off by default', () => {
    expect(parse({}).http).toBe(null)
    expect(parse({ QSCOPE_HTTP_LISTEN: 'off' }).http).toBe(null)
  })

  it('listens on the configured address, which is shown', () => {
    const origins = 'https://a.example, https://b.example:8443/'
    const config = parse({ QSCOPE_HTTP_LISTEN: '127.0.0.1:8080', QSCOPE_HTTP_ALLOWED_ORIGINS: origins })
    expect(config.http).toEqual({
      listen: { host: '127.0.0.1', port: 8080 },
      url: null,
      oauth: true,
      allowedOrigins: ['https://a.example', 'https://b.example:8443'],
      console: false,
    })
    const shown = Object.fromEntries(describeConfig(config).map(({ name, value }) => [name, value]))
    expect(shown).toMatchObject({ QSCOPE_HTTP_LISTEN: '127.0.0.1:8080', QSCOPE_HTTP_URL: '(the address)' })
  })

  it('serves the OAuth forms by default', () => {
    expect(parse({ QSCOPE_HTTP_LISTEN: '127.0.0.1:8080', QSCOPE_HTTP_OAUTH: 'off' }).http?.oauth).toBe(false)
  })

  it('is reached at the issuer by default', () => {
    const variables = { QSCOPE_HTTP_LISTEN: '127.0.0.1:8080', QSCOPE_ISSUER: 'https://auth.internal/tenant' }
    expect(parse(variables).http?.url).toBe('https://auth.internal')
    const told = parse({ ...variables, QSCOPE_HTTP_URL: 'https://auth.internal:8443/' })
    expect(told.http?.url).toBe('https://auth.internal:8443')
  })

  it('is not assumed at an issuer that names the gRPC port', () => {
    const variables = { QSCOPE_HTTP_LISTEN: '127.0.0.1:8080', QSCOPE_ISSUER: 'http://127.0.0.1:50051' }
    expect(parse(variables).http?.url).toBe(null)
  })

  it('opens beyond loopback only with TLS by default', () => {
    const variables = { QSCOPE_HTTP_LISTEN: '0.0.0.0:8080' }
    expect(problemsOf(variables)).toEqual([
      expect.stringMatching(/^QSCOPE_HTTP_LISTEN: should be a loopback address: 0\.0\.0\.0:8080 can be reached/),
    ])
    expect(problemsOf({ ...variables, QSCOPE_INSECURE: '1' })).toEqual([])
    expect(problemsOf({ ...variables, QSCOPE_TLS_CERT_FILE: 'a', QSCOPE_TLS_KEY_FILE: 'b' })).toEqual([])
  })

  it.each([
    ['no address', { QSCOPE_HTTP_LISTEN: '8080' }, 'QSCOPE_HTTP_LISTEN: should be host:port'],
    ['the address of gRPC', { QSCOPE_HTTP_LISTEN: '127.0.0.1:50051' }, 'QSCOPE_HTTP_LISTEN: should be another address'],
    [
      'a URL with a path',
      { QSCOPE_HTTP_LISTEN: '127.0.0.1:1', QSCOPE_HTTP_URL: 'https://a.example/b' },
      'QSCOPE_HTTP_URL: should be the URL, without a path',
    ],
    [
      'a page instead of its origin',
      { QSCOPE_HTTP_LISTEN: '127.0.0.1:1', QSCOPE_HTTP_ALLOWED_ORIGINS: 'https://a.example/b' },
      'QSCOPE_HTTP_ALLOWED_ORIGINS: should be the origins of web pages',
    ],
    [
      'any page',
      { QSCOPE_HTTP_LISTEN: '127.0.0.1:1', QSCOPE_HTTP_ALLOWED_ORIGINS: '*' },
      'QSCOPE_HTTP_ALLOWED_ORIGINS: should be the origins of web pages',
    ],
    [
      'origins without a port',
      { QSCOPE_HTTP_ALLOWED_ORIGINS: 'https://a.example' },
      'QSCOPE_HTTP_ALLOWED_ORIGINS: requires',
    ],
    ['forms without a port', { QSCOPE_HTTP_OAUTH: 'off' }, 'QSCOPE_HTTP_OAUTH: requires QSCOPE_HTTP_LISTEN'],
  ])('refuses %s', (_what, variables, problem) => {
    expect(problemsOf(variables)).toEqual([expect.stringContaining(problem)])
  })

  it('serves the console if configured, and never in plaintext to other machines', () => {
    const here = { QSCOPE_HTTP_LISTEN: '127.0.0.1:8080', QSCOPE_CONSOLE: 'on' }
    expect(parse(here).http?.console).toBe(true)
    const there = { ...here, QSCOPE_HTTP_LISTEN: '0.0.0.0:8080', QSCOPE_INSECURE: '1' }
    expect(problemsOf(there)).toEqual([
      expect.stringMatching(/^QSCOPE_CONSOLE: should be off: 0\.0\.0\.0:8080 can be reached from other machines/),
    ])
    expect(problemsOf({ ...there, QSCOPE_TLS_CERT_FILE: 'a', QSCOPE_TLS_KEY_FILE: 'b' })).toEqual([])
    expect(problemsOf({ QSCOPE_CONSOLE: 'on' })).toEqual(['QSCOPE_CONSOLE: requires QSCOPE_HTTP_LISTEN'])
  })
})
