import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'

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

describe('trusted proxies', () => {
  it('are empty by default', () => {
    expect(parse({}).trustedProxies).toEqual({ sockets: [], alternativeNames: [] })
    const { trustedProxies, settings } = parse({
      ...TLS,
      QSCOPE_TRUSTED_PROXIES: 'Edge.internal, spiffe://mesh/edge',
    })
    expect(trustedProxies).toMatchObject({
      sockets: [],
      alternativeNames: ['dns:edge.internal', 'uri:spiffe://mesh/edge'],
    })
    expect(settings).toContainEqual(
      expect.objectContaining({ name: 'QSCOPE_TRUSTED_PROXIES', value: 'edge.internal,spiffe://mesh/edge' }),
    )
  })

  it.each([
    ['the CA that verifies them', { QSCOPE_TRUSTED_PROXIES: 'edge.internal' }, 'needs QSCOPE_TLS_CLIENT_CA_FILE'],
    ['names without a wildcard', { ...TLS, QSCOPE_TRUSTED_PROXIES: '*.internal' }, 'neither a DNS name nor a URI'],
    ['workloads by SPIFFE ID', { ...TLS, QSCOPE_TRUSTED_PROXIES: 'spiffe://mesh' }, 'not the SPIFFE ID of a workload'],
    ['names, not addresses', { ...TLS, QSCOPE_TRUSTED_PROXIES: 'a,loopback' }, 'an address is no proof'],
    [
      'names that may not ask for external authorization too',
      {
        ...TLS,
        QSCOPE_TRUSTED_PROXIES: 'edge.internal',
        QSCOPE_EXT_AUTHZ: 'on',
        QSCOPE_EXT_AUTHZ_PEERS: 'loopback,edge.internal',
      },
      'should not have edge.internal, which QSCOPE_EXT_AUTHZ_PEERS has too',
    ],
  ])('need %s', (_what, variables, problem) => {
    expect(problemsOf(variables)).toEqual([expect.stringContaining(problem)])
  })
})
