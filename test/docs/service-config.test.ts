import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CHANNEL_SETTINGS, METHODS, mayBeSentAgain } from '../../scripts/service-config.ts'

const proto = resolve(import.meta.dirname, '..', '..', 'proto', 'qscope', 'v1')
const comments = new Map(
  readdirSync(proto).flatMap((file) =>
    [...readFileSync(join(proto, file), 'utf8').matchAll(/((?: {2}\/\/.*\n)+) {2}rpc (\w+)\(/g)].map(
      ([, comment = '', name = '']) => [name, comment.replaceAll(/\s*\n?\s*\/\/\s*/g, ' ')] as const,
    ),
  ),
)

const methods = METHODS.map((method) => ({ method, name: method.name, comment: comments.get(method.name) ?? '' }))
const ALWAYS = /May be retried(\.|[:;] | like )/
const NEVER = /must not( be retried| retry)/

describe('the service config that clients are given', () => {
  it('covers every method of the contract', () => {
    expect(methods.map(({ name }) => name).toSorted()).toEqual([...comments.keys()].toSorted())
  })

  it.each(methods.filter(({ method }) => mayBeSentAgain(method)))('retries $name, as its comment allows', (each) => {
    expect(each.comment).toMatch(ALWAYS)
    expect(each.comment).not.toMatch(NEVER)
  })

  it.each(methods.filter(({ method }) => !mayBeSentAgain(method)))('never retries $name', ({ name, comment }) => {
    // "Like MintToken, unless the issuer is configured as single use": a client cannot know.
    if (name !== 'ExchangeAssertion') expect(comment).not.toMatch(ALWAYS)
  })

  it('never has a code, a device code or a refresh token redeemed twice', () => {
    const redeeming = ['ExchangeAuthorizationCode', 'RefreshToken', 'RedeemDeviceCode', 'WatchDeviceAuthorization']
    const found = methods.filter(({ name }) => redeeming.includes(name))
    expect(found).toHaveLength(redeeming.length)
    expect(found.filter(({ method }) => mayBeSentAgain(method))).toEqual([])
  })
})

describe('the channel settings that clients are given', () => {
  const root = resolve(import.meta.dirname, '..', '..')
  const { initialReconnectBackoffMs, maxReconnectBackoffMs } = CHANNEL_SETTINGS
  const clients = [
    ['Go', 'clients/go/connection.go', [/BaseDelay: +(\d+) \* time\.Millisecond/, /MaxDelay: +(\d+) \* time\.Second/]],
    [
      'Python',
      'clients/python/src/qscope_client/connection.py',
      [/"grpc\.initial_reconnect_backoff_ms", ([\d_]+)/, /"grpc\.max_reconnect_backoff_ms", ([\d_]+)/],
    ],
    [
      'Java',
      'clients/java/src/main/java/internal/qscope/client/Connection.java',
      [/MAX_RECONNECT_BACKOFF_MS = ([\d_]+)/],
    ],
    [
      'TypeScript',
      'packages/client/src/grpc-js/channel.ts',
      [/INITIAL_RECONNECT_BACKOFF_MS = ([\d_]+)/, /MAX_RECONNECT_BACKOFF_MS = ([\d_]+)/],
    ],
  ] as const

  it.each(clients)('are those of the client for %s', (_language, file, patterns) => {
    const source = readFileSync(join(root, file), 'utf8')
    const found = patterns.map((pattern) => Number(pattern.exec(source)?.[1]?.replaceAll('_', '')))
    const inMs = file.endsWith('.go') ? found.map((value, at) => (at === 1 ? value * 1_000 : value)) : found
    expect(inMs).toEqual([initialReconnectBackoffMs, maxReconnectBackoffMs].slice(-patterns.length))
  })
})
