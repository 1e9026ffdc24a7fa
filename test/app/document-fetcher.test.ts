import type { LookupAddress } from 'node:dns'
import { createServer } from 'node:net'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { DocumentFetcher } from '../../src/app/trust/document-fetcher.ts'
import type { PrivateHosts } from '../../src/config/value-types.ts'
import { certificateAuthority, selfSigned, suiteFolder } from '../setup/certificates.ts'
import { httpsHost } from '../setup/https-host.ts'

const folder = suiteFolder()
const authority = certificateAuthority(folder, 'ca')
const ca = authority.cert.toString()
const identity = authority.issue('issuer', ['DNS:issuer.test', 'DNS:localhost', 'IP:127.0.0.1', 'IP:::1'])
const host = await httpsHost(identity)
host.answers.set('/jwks', '{"keys":[]}')

const NAMED: PrivateHosts = { names: ['issuer.test'], networks: [] }

/** The addresses of each look-up, one after the other; the last remain. */
function fetcher(privateHosts: Partial<PrivateHosts>, ...resolved: readonly (readonly string[])[]) {
  let lookUps = 0
  return new DocumentFetcher({
    privateHosts: { names: [], networks: [], ...privateHosts },
    ...(resolved.length > 0 && {
      resolve: async () => {
        const addresses = resolved[Math.min(lookUps, resolved.length - 1)] ?? []
        lookUps += 1
        return addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }))
      },
    }),
  })
}

const fetch = (by: DocumentFetcher, url: string, signal = AbortSignal.timeout(60_000)) =>
  by.fetch({ url, origin: 'api', ca }, signal)
const at = (name: string, path = '/jwks', port = host.port) => `https://${name}:${port}${path}`

describe('a document at a URL that was set through the API', () => {
  it('is fetched from a host that the configuration names', async () => {
    expect(await fetch(fetcher(NAMED, ['127.0.0.1']), at('issuer.test'))).toEqual({ ok: true, text: '{"keys":[]}' })
    const network = { networks: [{ address: '127.0.0.1', prefix: 32, family: 'ipv4' }] } as const
    expect(await fetch(fetcher(network), at('127.0.0.1'))).toMatchObject({ ok: true })
  })

  it.each([
    ['an address', at('127.0.0.1'), []],
    ['an address of IPv6', at('[::1]'), []],
    ['an address of IPv4 inside one of IPv6', at('[::ffff:7f00:1]'), []],
    ['a name', at('localhost'), []],
    ['a name of the public DNS', at('issuer.test'), ['127.0.0.1', '::1', '10.0.0.1']],
  ])('is not fetched by %s that is not public, and no connection is made', async (_what, url, addresses) => {
    const before = host.connections
    const by = addresses.length === 0 ? fetcher({}) : fetcher({}, addresses)
    expect(await fetch(by, url)).toMatchObject({
      ok: false,
      problem: expect.stringContaining('has no address that may be connected to (QSCOPE_TRUST_PRIVATE_HOSTS'),
    })
    expect(host.connections).toBe(before)
  })

  it('is not fetched from an address to which its name resolves later: each connection uses the checked address', async () => {
    const second = await httpsHost(identity, '127.0.0.2')
    second.answers.set('/jwks', '{"keys":[1]}')
    const network = { networks: [{ address: '127.0.0.2', prefix: 32, family: 'ipv4' }] } as const
    const rebinding = fetcher(network, ['127.0.0.2'], ['127.0.0.1'], ['127.0.0.1', '127.0.0.2'])
    const before = host.connections
    expect(await fetch(rebinding, at('issuer.test', '/jwks', second.port))).toMatchObject({ ok: true })
    expect(await fetch(rebinding, at('issuer.test'))).toMatchObject({ ok: false })
    // Of several addresses only those are tried that may be.
    expect(await fetch(rebinding, at('issuer.test', '/jwks', second.port))).toMatchObject({ ok: true })
    expect(await fetch(rebinding, at('issuer.test'))).toMatchObject({ ok: false })
    expect(host.connections).toBe(before)
    expect(second.asked).toEqual(['/jwks', '/jwks'])
  })

  it.each([
    ['http', 'http://issuer.test/jwks', 'does not begin with https://'],
    ['credentials', 'https://user:secret@issuer.test/jwks', 'credentials'],
    ['a fragment', 'https://issuer.test/jwks#keys', 'has a fragment'],
    ['an address in another spelling', 'https://0x7f.1/jwks', 'should be written'],
    ['another scheme', 'file:///etc/passwd', 'does not begin with https:// or http://'],
  ])('is not fetched by a URL with %s', async (_what, url, why) => {
    expect(await fetch(fetcher(NAMED, ['127.0.0.1']), url)).toMatchObject({
      ok: false,
      problem: expect.stringContaining(why),
    })
  })

  it('is not fetched through a redirect', async () => {
    host.answers.set('/moved', (response) => response.writeHead(302, { location: '/jwks' }).end())
    const before = host.asked.length
    expect(await fetch(fetcher(NAMED, ['127.0.0.1']), at('issuer.test', '/moved'))).toEqual({
      ok: false,
      problem: `${at('issuer.test', '/moved')} answers 302`,
      status: 302,
    })
    expect(host.asked.slice(before)).toEqual(['/moved'])
  })

  it.each<[string, (response: import('node:http').ServerResponse) => void]>([
    ['never answers', () => undefined],
    ['never ends', (response) => void response.writeHead(200).write('{"keys":[')],
    [
      'sends a byte now and then',
      (response) => {
        const timer = setInterval(() => response.write(' '), 20)
        response.once('close', () => clearInterval(timer))
      },
    ],
  ])('is given up when its host %s', async (_what, answer) => {
    host.answers.set('/slow', answer)
    const found = await fetch(fetcher(NAMED, ['127.0.0.1']), at('issuer.test', '/slow'), AbortSignal.timeout(500))
    expect(found).toMatchObject({ ok: false, problem: `${at('issuer.test', '/slow')} does not answer in time` })
  })

  it('is given up when its host accepts no connection, or does not start TLS', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    afterAll(() => silent.close())
    const address = silent.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const by = fetcher(NAMED, ['127.0.0.1'])
    expect(await fetch(by, at('issuer.test', '/', port), AbortSignal.timeout(500))).toMatchObject({ ok: false })
    const resolving = new DocumentFetcher({
      privateHosts: NAMED,
      resolve: () => Promise.withResolvers<never>().promise,
    })
    expect(await fetch(resolving, at('issuer.test'), AbortSignal.timeout(500))).toMatchObject({ ok: false })
  })

  it('starts no second lookup of its host while one is pending', async () => {
    const answers: PromiseWithResolvers<LookupAddress[]>[] = []
    const resolve = () => {
      const answer = Promise.withResolvers<LookupAddress[]>()
      answers.push(answer)
      return answer.promise
    }
    const by = new DocumentFetcher({ privateHosts: NAMED, resolve })
    for (let n = 0; n < 3; n += 1) {
      expect(await fetch(by, at('issuer.test'), AbortSignal.timeout(20))).toMatchObject({ ok: false })
    }
    expect(answers).toHaveLength(1)
    const joined = fetch(by, at('issuer.test'))
    answers[0]?.resolve([{ address: '127.0.0.1', family: 4 }])
    expect(await joined).toEqual({ ok: true, text: '{"keys":[]}' })
    // A lookup that has ended is not used again, whether it failed or not.
    for (let n = 1; n < 3; n += 1) {
      const failing = fetch(by, at('issuer.test'))
      await vi.waitFor(() => expect(answers).toHaveLength(n + 1))
      answers[n]?.reject(new Error('no such host'))
      expect(await failing).toMatchObject({ ok: false, problem: expect.stringContaining('no such host') })
    }
  })

  it('is given up at once when its host switches to another protocol', async () => {
    const switching = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket', '', '']
    host.answers.set('/switches', ({ socket }) => void socket?.write(switching.join('\r\n')))
    const url = at('issuer.test', '/switches')
    const closed = new Promise((resolve) => {
      host.server.once('secureConnection', (socket) => socket.once('close', resolve))
    })
    expect(await fetch(fetcher(NAMED, ['127.0.0.1']), url)).toEqual({
      ok: false,
      problem: `${url} answers 101`,
      status: 101,
    })
    await closed
  })

  it('is read up to 256 KiB only', async () => {
    host.answers.set('/endless', (response) => {
      const more = () => {
        while (response.write('x'.repeat(65_536)));
      }
      response.on('drain', more).on('error', () => undefined)
      more()
    })
    expect(await fetch(fetcher(NAMED, ['127.0.0.1']), at('issuer.test', '/endless'))).toMatchObject({
      ok: false,
      problem: expect.stringContaining('answers with more than 256 KiB'),
    })
  })

  it('is accepted only from a host with a certificate of the given CAs, whatever the environment', async () => {
    const stranger = await httpsHost(selfSigned(folder, 'stranger', ['DNS:issuer.test']))
    stranger.answers.set('/jwks', '{"keys":[]}')
    const url = at('issuer.test', '/jwks', stranger.port)
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    try {
      expect(await fetch(fetcher(NAMED, ['127.0.0.1']), url)).toMatchObject({ ok: false, status: null })
    } finally {
      vi.unstubAllEnvs()
    }
    expect(stranger.asked).toEqual([])
  })
})
