import { describe, expect, it } from 'vitest'
import { AddressPolicy } from '../../src/app/trust/address-policy.ts'

const NOBODY = { names: [], networks: [] }
const HOST = 'issuer.example'

const PRIVATE: readonly (readonly [string, readonly string[]])[] = [
  ['this host and network', ['0.0.0.0', '0.1.2.3', '::']],
  ['loopback', ['127.0.0.1', '127.255.255.254', '::1']],
  ['private networks', ['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1']],
  ['unique local addresses', ['fc00::1', 'fd12:3456:789a::1']],
  ['links, and the metadata of clouds', ['169.254.169.254', '169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'febf::1']],
  ['sites, as they were', ['fec0::1']],
  ['carriers', ['100.64.0.1', '100.127.255.255']],
  ['protocols', ['192.0.0.1', '192.88.99.1', '2001::1', '2001:1ff:ffff::1']],
  ['benchmarks', ['198.18.0.1', '198.19.255.255', '2001:2::1']],
  ['documentation', ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1', '3fff:fff:ffff::1']],
  ['groups', ['224.0.0.1', '239.255.255.255', 'ff02::1', 'ff0e::1']],
  ['nobody yet', ['240.0.0.1', '255.255.255.255', '100::1', '4000::1', '5f00::1', 'e000::1']],
  ['IPv4 compatible with IPv6', ['::127.0.0.1', '::8.8.8.8', '::7f00:1']],
  ['IPv4 mapped into IPv6', ['::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:10.0.0.1', '::FFFF:169.254.169.254']],
  ['IPv4 behind NAT64', ['64:ff9b::127.0.0.1', '64:ff9b::a00:1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::8.8.8.8']],
  ['IPv4 behind 6to4', ['2002:7f00:1::', '2002:a00:1::1', '2002:c0a8:101:5::1', '2002:a9fe:a9fe::']],
  ['nothing', ['', 'localhost', '1.2.3', '0x7f.0.0.1', '[::1]']],
]

const PUBLIC = [
  ...['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '172.15.255.255'],
  ...['172.32.0.0', '192.0.1.1', '192.167.255.255', '198.17.255.255', '198.20.0.0', '223.255.255.255'],
  ...['2606:4700:4700::1111', '2001:4860:4860::8888', '2a00:1450::1', '2001:200::1', '3ffe::1'],
  ...['::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:808:808::1'],
]

describe('a URL that was set through the API', () => {
  it.each(PRIVATE)('must not resolve to addresses of %s', (_whose, addresses) => {
    const policy = new AddressPolicy(NOBODY)
    expect(addresses.filter((address) => policy.allows(HOST, address))).toEqual([])
  })

  it('may resolve to addresses of the public internet', () => {
    const policy = new AddressPolicy(NOBODY)
    expect(PUBLIC.filter((address) => !policy.allows(HOST, address))).toEqual([])
  })

  it('may name a configured host with any address', () => {
    const policy = new AddressPolicy({ names: ['kubernetes.default.svc'], networks: [] })
    expect(policy.allows('kubernetes.default.svc', '10.96.0.1')).toBe(true)
    expect(policy.allows('kubernetes.default.svc.', '10.96.0.1')).toBe(false)
    expect(policy.allows('x.kubernetes.default.svc', '10.96.0.1')).toBe(false)
  })

  it('may resolve to a configured network with any host name', () => {
    const policy = new AddressPolicy({
      names: [],
      networks: [
        { address: '10.96.0.0', prefix: 12, family: 'ipv4' },
        { address: 'fd00::', prefix: 8, family: 'ipv6' },
      ],
    })
    expect(
      ['10.96.0.1', '10.111.255.255', '::ffff:10.96.0.1', 'fd00::1'].filter((a) => !policy.allows(HOST, a)),
    ).toEqual([])
    expect(['10.95.255.255', '10.112.0.0', 'fc00::1', '127.0.0.1'].filter((a) => policy.allows(HOST, a))).toEqual([])
  })
})
