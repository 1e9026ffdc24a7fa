import { request } from 'node:http'
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type ConsoleFile, codingFor } from '../../../src/transports/http/console.ts'
import { openHarness } from '../grpc/harness.ts'
import { startHttp } from './harness.ts'

const harness = await openHarness()

function fileOf(name: string, contentType: string, text: string): ConsoleFile {
  const bytes = Buffer.from(text)
  const coded = new Map([
    ['br', brotliCompressSync(bytes)],
    ['gzip', gzipSync(bytes)],
  ] as const)
  return { name, contentType, bytes, coded }
}

const PAGE = '<!doctype html><title>console</title>'
const SCRIPT = 'console.log(1)'
const FILES = [
  fileOf('index.html', 'text/html; charset=utf-8', PAGE),
  fileOf('assets/index-1a2b3c4d.js', 'text/javascript; charset=utf-8', SCRIPT),
]

/** A request with an unchanged path, which `fetch` would normalize. */
async function ask(url: string, path: string, method = 'GET', headers: Record<string, string> = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number
    readonly headers: Readonly<Record<string, unknown>>
    readonly body: Buffer
  }>()
  const sent = request(url, { path, method, headers }, (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => void chunks.push(chunk))
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
    )
  })
  sent.once('error', reject)
  sent.end()
  return await promise
}

describe('the console over HTTP', () => {
  it('has a page that is revalidated, and assets that are cached without expiry', async () => {
    const { url } = await startHttp(harness, [], { consoleFiles: FILES })
    const page = await ask(url, '/console/')
    expect([page.status, page.headers['content-type'], page.headers['cache-control'], page.body.toString()]).toEqual([
      200,
      'text/html; charset=utf-8',
      'no-cache',
      PAGE,
    ])
    const script = await ask(url, '/console/assets/index-1a2b3c4d.js')
    expect([script.status, script.headers['cache-control'], script.body.toString()]).toEqual([
      200,
      'public, max-age=31536000, immutable',
      SCRIPT,
    ])
  })

  it('restricts pages to resources of this server by Content-Security-Policy', async () => {
    const { url } = await startHttp(harness, [], { consoleFiles: FILES })
    for (const path of ['/console/', '/console', '/console/assets/index-1a2b3c4d.js']) {
      const { headers } = await ask(url, path)
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
      )
      expect(headers).toMatchObject({
        'cross-origin-opener-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      })
      expect(headers['set-cookie']).toBeUndefined()
    }
  })

  it('is sent in the best accepted content coding, with Vary', async () => {
    const { url } = await startHttp(harness, [], { consoleFiles: FILES })
    const br = await ask(url, '/console/', 'GET', { 'accept-encoding': 'gzip, deflate, br' })
    expect([br.headers['content-encoding'], br.headers['vary']]).toEqual(['br', 'accept-encoding'])
    expect(brotliDecompressSync(br.body).toString()).toBe(PAGE)
    const gzip = await ask(url, '/console/', 'GET', { 'accept-encoding': 'gzip' })
    expect(gunzipSync(gzip.body).toString()).toBe(PAGE)
    const plain = await ask(url, '/console/', 'GET', { 'accept-encoding': 'br;q=0, gzip;q=0.0' })
    expect([plain.headers['content-encoding'], plain.body.toString()]).toEqual([undefined, PAGE])
  })

  it('answers HEAD without content, and refuses POST', async () => {
    const { url } = await startHttp(harness, [], { consoleFiles: FILES })
    const head = await ask(url, '/console/', 'HEAD')
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, String(PAGE.length), 0])
    const posted = await ask(url, '/console/', 'POST')
    expect([posted.status, posted.headers['allow']]).toEqual([405, 'GET, HEAD'])
  })

  it('redirects from its path without the slash to that with it', async () => {
    const { url } = await startHttp(harness, [], { consoleFiles: FILES })
    const { status, headers } = await ask(url, '/console')
    expect([status, headers['location']]).toEqual([308, '/console/'])
  })

  it.each([
    ['', ''],
    ['?user_code=BCDF-GHJK', '?user_code=BCDF-GHJK'],
    ['?user_code=BCDF-GHJK&user_code=X&next=//h.example', '?user_code=BCDF-GHJK'],
    ['?user_code=%0d%0aset-cookie:a%23/clients?', '?user_code=%0D%0Aset-cookie%3Aa%23%2Fclients%3F'],
  ])(
    'redirects from the verification URI with %j to a page with the user code in the fragment',
    async (query, behind) => {
      const { url } = await startHttp(harness, [], { consoleFiles: FILES })
      const { status, headers, body } = await ask(url, `/console/device${query}`)
      expect([status, headers['location'], headers['cache-control'], headers['referrer-policy'], body.length]).toEqual([
        303,
        `/console/#/devices${behind}`,
        'no-store',
        'no-referrer',
        0,
      ])
      expect(headers['set-cookie']).toBeUndefined()
    },
  )

  it.each([
    '/console/index.html',
    '/console/assets/',
    '/console/assets/index-1a2b3c4d.js.br',
    '/console/../healthz/../../package.json',
    '/console/%2e%2e/%2e%2e/package.json',
    '/console/..%2f..%2fpackage.json',
    '/console/assets/%69ndex-1a2b3c4d.js',
    '/console/assets//index-1a2b3c4d.js',
    '/console/\\..\\package.json',
    '/console/assets/index-1a2b3c4d.js%00',
  ])('answers %s with 404', async (path) => {
    const { url } = await startHttp(harness, [], { consoleFiles: FILES })
    expect((await ask(url, path)).status).toBe(404)
  })

  it('is 404 unless it is enabled', async () => {
    const { url } = await startHttp(harness, [])
    for (const path of ['/console', '/console/', '/console/device']) expect((await ask(url, path)).status).toBe(404)
  })
})

describe('the content coding of an answer', () => {
  it.each([
    ['', null],
    ['*', null],
    ['identity', null],
    ['BR', 'br'],
    [' gzip ; q=1.0 ', 'gzip'],
    ['br; q=0.001', 'br'],
    ['br;q=0.000, gzip', 'gzip'],
    ['brotli, xgzip', null],
  ])('for accept-encoding %j is %s', (accepted, coding) => {
    expect(codingFor(accepted)).toBe(coding)
  })
})
