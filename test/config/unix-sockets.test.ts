import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { LONGEST_SOCKET_PATH } from '../../src/domain/unix-socket.ts'

const GRPC = '/run/qscope/grpc.sock'
const HTTP = '/run/qscope/http.sock'
const HTTP_ON = Object.freeze({ QSCOPE_HTTP_LISTEN: '127.0.0.1:8080', QSCOPE_HTTP_SOCKET: HTTP })
const TLS = Object.freeze({
  QSCOPE_TLS_CERT_FILE: '/tls/cert.pem',
  QSCOPE_TLS_KEY_FILE: '/tls/key.pem',
  QSCOPE_TLS_CLIENT_CA_FILE: '/tls/ca.pem',
})

const parse = (variables: Readonly<Record<string, string>>) =>
  parseConfig(readEnvironment({ QSCOPE_DATABASE_URL: 'sqlite::memory:', ...variables }))

function problemsOf(variables: Readonly<Record<string, string>>): readonly string[] {
  try {
    parse(variables)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('Unix domain sockets', () => {
  it('are none unless they are named', () => {
    expect(parse({}).sockets).toEqual({ grpc: null, http: null })
  })

  it('have the permissions of owner and group, unless others are set', () => {
    const { sockets, settings } = parse({ ...HTTP_ON, QSCOPE_GRPC_SOCKET: GRPC })
    expect(sockets).toEqual({ grpc: { path: GRPC, mode: 0o660 }, http: { path: HTTP, mode: 0o660 } })
    expect(settings).toContainEqual({ name: 'QSCOPE_SOCKET_MODE', value: '0660', source: 'default' })
    for (const mode of ['0600', '600']) {
      const set = parse({ QSCOPE_GRPC_SOCKET: GRPC, QSCOPE_SOCKET_MODE: mode })
      expect(set.sockets.grpc).toEqual({ path: GRPC, mode: 0o600 })
      expect(set.settings).toContainEqual(expect.objectContaining({ name: 'QSCOPE_SOCKET_MODE', value: '0600' }))
    }
  })

  it('may have paths as long as the operating system takes, counted in bytes', () => {
    const longest = `/${'a'.repeat(LONGEST_SOCKET_PATH - 1)}`
    expect(parse({ QSCOPE_GRPC_SOCKET: longest }).sockets.grpc?.path).toBe(longest)
    for (const path of [`${longest}a`, `${longest.slice(0, -1)}é`]) {
      expect(problemsOf({ QSCOPE_GRPC_SOCKET: path })).toEqual([
        expect.stringMatching(/^QSCOPE_GRPC_SOCKET: should be the absolute path .*: it is longer than 107 bytes$/),
      ])
    }
  })

  it.each([
    ['is not absolute', 'qscope.sock'],
    ['is not absolute', 'unix:/run/qscope.sock'],
    ['has an empty part', '/run//qscope.sock'],
    ['has an empty part', '/run/qscope/'],
    ['has an empty part', '/'],
    ['or a part that is . or ..', '/run/../qscope.sock'],
    ['has white space, a comma', '/run/a b'],
    ['has white space, a comma', '/run/a,b'],
    ['a character that cannot be shown', '/run/a\u0007'],
  ])('are refused where the path %s: %s', (problem, path) => {
    expect(problemsOf({ QSCOPE_GRPC_SOCKET: path })).toEqual([expect.stringContaining(problem)])
  })

  it.each(['rw-rw----', '0o660', '660x', '0888', '66', '01660', '-660'])(
    'are refused with the permissions %s',
    (mode) => {
      expect(problemsOf({ QSCOPE_GRPC_SOCKET: GRPC, QSCOPE_SOCKET_MODE: mode })).toEqual([
        expect.stringContaining('should be permissions in octal, such as 0660'),
      ])
    },
  )

  it.each([
    ['permissions without a socket', { QSCOPE_SOCKET_MODE: '0600' }, 'requires QSCOPE_GRPC_SOCKET or QSCOPE_HTTP'],
    ['one for HTTP without its port', { QSCOPE_HTTP_SOCKET: HTTP }, 'requires QSCOPE_HTTP_LISTEN'],
    ['one path for both', { ...HTTP_ON, QSCOPE_GRPC_SOCKET: HTTP }, 'should be another path than QSCOPE_GRPC_SOCKET'],
  ])('are refused as %s', (_what, variables, problem) => {
    expect(problemsOf(variables)).toEqual([expect.stringContaining(problem)])
  })
})

describe('a Unix domain socket as a peer', () => {
  const grpc = { ...TLS, QSCOPE_GRPC_SOCKET: GRPC }

  it('may be a trusted proxy, beside certificates, and may ask for external authorization', () => {
    const { trustedProxies, settings } = parse({ ...grpc, QSCOPE_TRUSTED_PROXIES: `edge.internal, unix:${GRPC}` })
    expect(trustedProxies).toEqual({
      loopback: false,
      sockets: [`unix:${GRPC}`],
      alternativeNames: ['dns:edge.internal'],
    })
    expect(settings).toContainEqual(
      expect.objectContaining({ name: 'QSCOPE_TRUSTED_PROXIES', value: `unix:${GRPC},edge.internal` }),
    )
    const { extAuthz } = parse({
      QSCOPE_GRPC_SOCKET: GRPC,
      QSCOPE_EXT_AUTHZ: 'on',
      QSCOPE_EXT_AUTHZ_PEERS: `unix:${GRPC}`,
    })
    expect(extAuthz?.peers.sockets).toEqual([`unix:${GRPC}`])
  })

  it.each([
    [
      'that is none of this server',
      { ...grpc, QSCOPE_TRUSTED_PROXIES: `unix:${HTTP}` },
      `QSCOPE_TRUSTED_PROXIES: has unix:${HTTP}, which is neither QSCOPE_GRPC_SOCKET nor QSCOPE_HTTP_SOCKET`,
    ],
    [
      'whose path is in another spelling',
      { ...grpc, QSCOPE_TRUSTED_PROXIES: `unix://${GRPC}` },
      'has the path of a Unix domain socket that has an empty part',
    ],
    [
      'without the CA that verifies what it tells',
      { QSCOPE_GRPC_SOCKET: GRPC, QSCOPE_TRUSTED_PROXIES: `unix:${GRPC}` },
      'needs QSCOPE_TLS_CLIENT_CA_FILE',
    ],
    [
      'to which every user may connect',
      { ...grpc, QSCOPE_SOCKET_MODE: '0666', QSCOPE_TRUSTED_PROXIES: `unix:${GRPC}` },
      'QSCOPE_SOCKET_MODE: should not let others write',
    ],
    [
      'that may ask for external authorization too',
      {
        ...grpc,
        QSCOPE_TRUSTED_PROXIES: `unix:${GRPC}`,
        QSCOPE_EXT_AUTHZ: 'on',
        QSCOPE_EXT_AUTHZ_PEERS: `unix:${GRPC}`,
      },
      `should not have unix:${GRPC}, which QSCOPE_EXT_AUTHZ_PEERS has too`,
    ],
    [
      'of HTTP, where external authorization is not served',
      { ...HTTP_ON, QSCOPE_EXT_AUTHZ: 'on', QSCOPE_EXT_AUTHZ_PEERS: `unix:${HTTP}` },
      `QSCOPE_EXT_AUTHZ_PEERS: has unix:${HTTP}, which is not QSCOPE_GRPC_SOCKET`,
    ],
  ])('is refused as one %s', (_what, variables, problem) => {
    expect(problemsOf(variables)).toEqual([expect.stringContaining(problem)])
  })
})
