import { describe, expect, it } from 'vitest'
import { describeConfig, parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'

const configOf = (value?: string) =>
  parseConfig(readEnvironment(value === undefined ? {} : { QSCOPE_TRUST_PRIVATE_HOSTS: value }))

function problemsOf(value: string): readonly string[] {
  try {
    configOf(value)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('QSCOPE_TRUST_PRIVATE_HOSTS', () => {
  it('accepts names, addresses and networks', () => {
    const config = configOf('Kubernetes.default.svc, 10.96.0.0/12,192.168.1.5,fd00::/8')
    expect(config.trustPrivateHosts).toEqual({
      names: ['kubernetes.default.svc'],
      networks: [
        { address: '10.96.0.0', prefix: 12, family: 'ipv4' },
        { address: '192.168.1.5', prefix: 32, family: 'ipv4' },
        { address: 'fd00::', prefix: 8, family: 'ipv6' },
      ],
    })
    const shown = describeConfig(config).find(({ name }) => name === 'QSCOPE_TRUST_PRIVATE_HOSTS')
    expect(shown?.value).toBe('kubernetes.default.svc,10.96.0.0/12,192.168.1.5/32,fd00::/8')
  })

  it('is empty by default', () => expect(configOf().trustPrivateHosts).toBeNull())

  it.each([
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.1',
    'https://h',
    'h:443',
    'a b',
    '*.svc',
    '[::1]',
  ])('does not accept %s', (value) => {
    expect(problemsOf(`good.example,${value}`)).toEqual([
      expect.stringMatching(/^QSCOPE_TRUST_PRIVATE_HOSTS: should be .* place 2 that is neither/),
    ])
  })
})
