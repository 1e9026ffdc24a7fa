import { describe, expect, it } from 'vitest'
import { describeConfig, parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'

const CERT = { QSCOPE_TLS_CERT_FILE: 'server.pem' }
const KEY = { QSCOPE_TLS_KEY_FILE: 'server.key' }
const CA = { QSCOPE_TLS_CLIENT_CA_FILE: 'ca.pem' }
const parse = (env: Record<string, string>) => parseConfig(readEnvironment(env))

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parse(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

describe('TLS', () => {
  it('is off unless certificate and key are named', () => {
    expect(parse({}).tls).toBeNull()
    expect(parse({ ...CERT, ...KEY }).tls).toMatchObject({
      certFile: 'server.pem',
      keyFile: 'server.key',
      clientCaFile: null,
      clientAuth: 'none',
      reloadIntervalMs: 10_000,
    })
  })

  it('requests client certificates if their CA is named, and requires them if configured', () => {
    expect(parse({ ...CERT, ...KEY, ...CA }).tls?.clientAuth).toBe('request')
    expect(parse({ ...CERT, ...KEY, QSCOPE_TLS_CLIENT_AUTH: 'request' }).tls?.clientAuth).toBe('request')
    expect(parse({ ...CERT, ...KEY, ...CA, QSCOPE_TLS_CLIENT_AUTH: 'require' }).tls?.clientAuth).toBe('require')
  })

  it('makes the default issuer https, and lets the server be reached from outside', () => {
    expect(parse({ ...CERT, ...KEY }).issuer).toBe('https://127.0.0.1:50051')
    const config = parse({ ...CERT, ...KEY, QSCOPE_GRPC_LISTEN: '0.0.0.0:50051', QSCOPE_ISSUER: 'https://q.example' })
    expect(config.warnings).toEqual([])
  })

  it.each<[Record<string, string>, RegExp]>([
    [{ ...CERT }, /^QSCOPE_TLS_KEY_FILE: should be set/],
    [{ ...KEY }, /^QSCOPE_TLS_CERT_FILE: should be set/],
    [{ ...CA }, /^QSCOPE_TLS_CLIENT_CA_FILE: requires/],
    [{ QSCOPE_TLS_CLIENT_AUTH: 'require' }, /^QSCOPE_TLS_CLIENT_AUTH: requires/],
    [{ ...CERT, ...KEY, QSCOPE_TLS_CLIENT_AUTH: 'require' }, /^QSCOPE_TLS_CLIENT_CA_FILE: should be set/],
    [{ ...CERT, ...KEY, ...CA, QSCOPE_TLS_CLIENT_AUTH: 'none' }, /^QSCOPE_TLS_CLIENT_AUTH: should be request/],
    [{ ...CERT, ...KEY, QSCOPE_TLS_CLIENT_AUTH: 'maybe' }, /^QSCOPE_TLS_CLIENT_AUTH: should be none, request/],
    [{ ...CERT, ...KEY, QSCOPE_TLS_RELOAD_INTERVAL: '1ms' }, /^QSCOPE_TLS_RELOAD_INTERVAL: should be a duration/],
    [{ QSCOPE_GRPC_LISTEN: '0.0.0.0:50051', QSCOPE_ISSUER: 'https://q.example' }, /^QSCOPE_GRPC_LISTEN: .*plaintext/],
  ])('%o is refused', (env, problem) => {
    expect(problemsOf(env)).toEqual([expect.stringMatching(problem)])
  })

  it('is shown by qscope config', () => {
    const shown = new Map(describeConfig(parse({ ...CERT, ...KEY, ...CA })).map(({ name, value }) => [name, value]))
    expect(shown.get('QSCOPE_TLS_CERT_FILE')).toBe('server.pem')
    expect(shown.get('QSCOPE_TLS_CLIENT_AUTH')).toBe('request')
  })
})
