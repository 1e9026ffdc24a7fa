import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'

const parse = (variables: Readonly<Record<string, string>>) =>
  parseConfig(readEnvironment({ QSCOPE_DATABASE_URL: 'sqlite::memory:', ...variables })).extAuthz

function problemsOf(variables: Readonly<Record<string, string>>): readonly string[] {
  try {
    parse(variables)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('external authorization', () => {
  it('is off unless it is turned on with the allowed callers', () => {
    expect(parse({})).toBeNull()
    expect(parse({ QSCOPE_EXT_AUTHZ: 'off' })).toBeNull()
    expect(parse({ QSCOPE_EXT_AUTHZ: 'on', QSCOPE_EXT_AUTHZ_PEERS: 'loopback' })).toEqual({
      peers: { loopback: true, sockets: [], alternativeNames: [] },
    })
  })

  it.each([
    ['nobody who may ask', { QSCOPE_EXT_AUTHZ: 'on' }, 'QSCOPE_EXT_AUTHZ_PEERS: should be set'],
    [
      'peers while it is off',
      { QSCOPE_EXT_AUTHZ_PEERS: 'loopback' },
      'QSCOPE_EXT_AUTHZ_PEERS: requires QSCOPE_EXT_AUTHZ=on',
    ],
    [
      'names without a CA',
      { QSCOPE_EXT_AUTHZ: 'on', QSCOPE_EXT_AUTHZ_PEERS: 'envoy.internal' },
      'QSCOPE_EXT_AUTHZ_PEERS: requires QSCOPE_TLS_CLIENT_CA_FILE',
    ],
    ['a wildcard', { QSCOPE_EXT_AUTHZ: 'on', QSCOPE_EXT_AUTHZ_PEERS: '*.internal' }, 'neither a DNS name nor a URI'],
    ['an empty name', { QSCOPE_EXT_AUTHZ: 'on', QSCOPE_EXT_AUTHZ_PEERS: 'loopback,' }, 'neither a DNS name nor a URI'],
  ])('is rejected with %s', (_what, variables, problem) => {
    expect(problemsOf(variables)).toEqual([expect.stringContaining(problem)])
  })
})
