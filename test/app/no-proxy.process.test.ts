import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { certificateAuthority, suiteFolder } from '../setup/certificates.ts'
import { httpsHost } from '../setup/https-host.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const authority = certificateAuthority(suiteFolder(), 'ca')
const identity = authority.issue('issuer', ['IP:127.0.0.1'])

const [HOST_URL, HOST_CA] = ['process.env.DOCUMENT_URL', 'process.env.DOCUMENT_CA']
const BY_FETCHER = `
const { DocumentFetcher } = await import(${JSON.stringify(join(ROOT, 'src', 'app', 'trust', 'document-fetcher.ts'))})
const networks = [{ address: '127.0.0.1', prefix: 32, family: 'ipv4' }]
const fetcher = new DocumentFetcher({ privateHosts: { names: [], networks } })
const document = { url: ${HOST_URL}, ca: ${HOST_CA}, origin: 'api' }
console.log(JSON.stringify(await fetcher.fetch(document, AbortSignal.timeout(60_000))))
`
const BY_PLATFORM = `await fetch(${HOST_URL}).catch(() => undefined)`

it('a document is fetched without the proxy of the environment', async () => {
  const host = await httpsHost(identity)
  host.answers.set('/jwks', '{"keys":[]}')
  let proxied = 0
  const proxy = createServer((socket) => {
    proxied += 1
    socket.on('error', () => undefined).destroy()
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  afterAll(() => proxy.close())
  const address = proxy.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const run = (program: string) =>
    promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      env: {
        ...process.env,
        NODE_USE_ENV_PROXY: '1',
        HTTPS_PROXY: `http://127.0.0.1:${port}`,
        NO_PROXY: '',
        DOCUMENT_URL: `https://127.0.0.1:${host.port}/jwks`,
        DOCUMENT_CA: authority.cert.toString(),
      },
    })
  const { stdout } = await run(BY_FETCHER)
  expect(JSON.parse(stdout)).toEqual({ ok: true, text: '{"keys":[]}' })
  expect(proxied).toBe(0)
  await run(BY_PLATFORM)
  expect(proxied).toBeGreaterThan(0)
  expect(host.asked).toEqual(['/jwks'])
})
