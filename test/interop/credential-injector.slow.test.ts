import { renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { type Envoy, hasEnvoy, startConfiguredEnvoy } from '../setup/envoy.ts'
import { freePort } from '../setup/free-port.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { documentedExample, placedExample } from './envoy-page.ts'

const HEADING = 'Add tokens to outgoing requests'
const AUDIENCE = 'https://orders.example'
/** Envoy fetches the next token after half of this time. */
const LIFETIME_S = 10
const { verifyToken } = TokenService.method

describe.skipIf(!hasEnvoy)('Envoy that gets its tokens from the token endpoint, over TLS', () => {
  const folder = suiteFolder()
  const ca = certificateAuthority(folder, 'ca')
  const serving = ca.issue('server', LOCAL_NAMES)
  const secretFile = join(folder, 'shop-secret.yaml')
  const envoys: Envoy[] = []
  let database: FreshDatabase
  let tokenPort: number
  let server: TestServer
  let shop: Awaited<ReturnType<TestServer['registerClient']>>
  let orders: typeof shop
  /** The tokens of the requests that the upstream service accepted. */
  const accepted: string[] = []
  /** The number of requests that reached it. */
  let reached = 0
  const upstream = createServer(async ({ headers }, response) => {
    reached += 1
    const token = headers.authorization?.replace(/^Bearer /, '') ?? ''
    const wanted = { client: orders.client, token, audience: AUDIENCE, requiredScopes: ['orders.read'] }
    const isGood = await server.call(verifyToken, wanted).then(
      () => true,
      () => false,
    )
    if (isGood) accepted.push(token)
    response.writeHead(isGood ? 200 : 403).end()
  })

  const serve = async (): Promise<TestServer> => {
    const variables = {
      QSCOPE_HTTP_LISTEN: `127.0.0.1:${tokenPort}`,
      QSCOPE_ISSUER: `https://localhost:${tokenPort}`,
      QSCOPE_TLS_CERT_FILE: serving.certFile,
      QSCOPE_TLS_KEY_FILE: serving.keyFile,
    }
    const known = server as TestServer | undefined
    return await startServer(database.url, known?.keyring, known?.first, variables, channelOf(ca))
  }

  /** Writes a new file and renames it, as the page says. */
  const writeSecret = (secret: string) => {
    writeFileSync(`${secretFile}.new`, documentedExample(HEADING, 1).replace('qcs_…', secret))
    renameSync(`${secretFile}.new`, secretFile)
  }

  const startEnvoy = async (): Promise<Envoy> => {
    const [port, adminPort] = [await freePort(), await freePort()]
    const ports = { 8001: port, 9902: adminPort, 9000: (upstream.address() as AddressInfo).port, 8443: tokenPort }
    const files = { '/etc/envoy/qscope-ca.pem': ca.certFile, '/etc/envoy/shop-secret.yaml': secretFile }
    const envoy = await startConfiguredEnvoy(placedExample(documentedExample(HEADING), ports, files), port, adminPort)
    envoys.push(envoy)
    return envoy
  }

  const statusOf = async ({ address }: Envoy, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(`http://${address}/orders`, { headers })
    await response.arrayBuffer()
    return response.status
  }

  beforeAll(async () => {
    database = await sqliteFiles.create()
    tokenPort = await freePort()
    server = await serve()
    orders = await server.registerClient({ clientId: 'orders', resourceAudiences: [AUDIENCE] })
    shop = await server.registerClient({
      clientId: 'shop',
      scopes: ['orders.read', 'orders.write'],
      audiences: [AUDIENCE],
      config: { accessTokenTtl: { seconds: BigInt(LIFETIME_S) } },
    })
    await new Promise<void>((listening) => upstream.listen(0, '127.0.0.1', listening))
    writeSecret(shop.clientSecret)
  })
  afterAll(async () => {
    await Promise.all(envoys.map((envoy) => envoy.stop()))
    upstream.close()
    await server.stop()
    await database.drop()
  })

  it('replaces the token of each request with one for the upstream service', async () => {
    const envoy = await startEnvoy()
    await expect.poll(() => statusOf(envoy)).toBe(200)
    accepted.length = 0
    expect(await statusOf(envoy, { authorization: 'Bearer of-the-sender' })).toBe(200)
    const { claims } = await server.call(verifyToken, { client: orders.client, token: accepted[0] ?? '' })
    expect(claims).toMatchObject({ clientId: 'shop', scopes: ['orders.read'], audiences: [AUDIENCE] })
  })

  it('renews the token before it expires, so that no request is refused', async () => {
    const envoy = await startEnvoy()
    await expect.poll(() => statusOf(envoy)).toBe(200)
    accepted.length = 0
    while (new Set(accepted).size < 3) {
      expect(await statusOf(envoy)).toBe(200)
      await sleep(100)
    }
  })

  it('forwards no request while the secret is wrong, and recovers with the right one without a restart', async () => {
    writeSecret('qcs_wrong')
    const envoy = await startEnvoy()
    await expect
      .poll(() => envoy.counter('http.outbound.credential_injector.oauth2.token_fetch_failed_on_bad_response_code'))
      .toBeGreaterThan(0)
    reached = 0
    expect(await statusOf(envoy)).toBe(401)
    expect(reached).toBe(0)
    writeSecret(shop.clientSecret)
    await expect.poll(() => statusOf(envoy)).toBe(200)
  })

  it('forwards no request before its first token, and recovers when the server is up again', async () => {
    const running = await startEnvoy()
    await expect.poll(() => statusOf(running)).toBe(200)
    await server.stop()
    const started = await startEnvoy()
    reached = 0
    expect(await statusOf(started)).toBe(401)
    expect(reached).toBe(0)
    server = await serve()
    await expect.poll(() => statusOf(started)).toBe(200)
    await expect.poll(() => statusOf(running)).toBe(200)
  })
})
