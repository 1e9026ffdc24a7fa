import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { connect } from '../setup/client.ts'
import { freePort } from '../setup/free-port.ts'
import { mysqlDatabases } from '../setup/fresh-database.ts'
import {
  buildImage,
  type Container,
  canBuild,
  plaintext,
  runOnce,
  startContainer,
  testFolder,
  testVolume,
  USER_ID,
} from './engine.ts'
import { layerHolds, savedImage } from './layers.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const MOST_BYTES = 250_000_000
const BUILD_MS = 900_000
vi.setConfig({ testTimeout: 180_000 })

const ca = certificateAuthority(suiteFolder(), 'ca')
/** A certificate for the name that services call. The health check calls another name. */
const serving = ca.issue('server', [...LOCAL_NAMES, 'DNS:qscope.tokens.svc'])

/** Texts of the build that must not be in the image: the path of the CA, and a private registry. */
function textsOfTheBuild(): readonly string[] {
  const registryBy = (...settings: readonly string[]) =>
    execFileSync('npm', ['config', 'get', 'registry', ...settings], { encoding: 'utf8', cwd: tmpdir() }).trim()
  const registry = registryBy()
  // Packages contain the name of the public registry.
  const isEverybodys = registry === registryBy('--userconfig=/dev/null', '--globalconfig=/dev/null')
  return ['cafile=/run/secrets/ca', ...(isEverybodys ? [] : [new URL(registry).host])]
}

/** Creates the first client inside the container, as an operator does, and opens a connection. */
async function administered(container: Container, address: string) {
  const made = await container.exec('qscope', 'client', 'create', '--admin', '--id', 'admin', '--json')
  const { client, clientSecret } = JSON.parse(made.stdout)
  const asAdmin = { clientId: client.clientId, method: { case: 'clientSecret' as const, value: clientSecret } }
  return { connection: connect(address, { ownSocket: true }), asAdmin }
}

describe.skipIf(!canBuild)('the image', () => {
  beforeAll(buildImage, BUILD_MS)

  it('is small, has an unprivileged user and labels, and contains no development package and no secret of the build', async () => {
    const { bytes, config, paths, layers } = await savedImage()
    expect(bytes).toBeLessThan(MOST_BYTES)
    expect(config.User).toBe('65532:65532')
    expect(config.Volumes).toHaveProperty('/data')
    expect(config.Healthcheck.Test).toEqual(['CMD', 'qscope', 'health'])
    expect(config.Env.filter((variable) => /INSECURE|SECRET|TOKEN|PASSWORD/.test(variable))).toEqual([])
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    expect(config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'QScope',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}$/),
    })

    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
    const here = paths.flatMap((path) => /^app\/(node_modules\/.*[^/])\/package\.json$/.exec(path)?.[1] ?? [])
    const inLock = here.filter((path) => path in packages)
    expect(inLock).toContain('node_modules/better-sqlite3')
    expect(inLock.filter((path) => packages[path].dev === true)).toEqual([])
    expect(paths).toEqual(expect.arrayContaining(['app/dist/main.js', 'app/dist/console/index.html']))
    const unwanted =
      /(^|\/)(\.npmrc|\.git|npm-cli\.js|.*\.keyring\.json|.*\.db|\.env)$|^app\/(src|test|\.git)\/|^root\/\.npm\/./
    expect(paths.filter((path) => unwanted.test(path))).toEqual([])
    expect(paths.filter((path) => /^run\/secrets\/./.test(path))).toEqual([])
    for (const text of textsOfTheBuild()) {
      for (const layer of layers) expect([text, await layerHolds(layer, text)]).toEqual([text, false])
    }
  })

  it('refuses to serve plaintext to the network, and names the variables to set', async () => {
    const { code, stdout, stderr } = await runOnce([], {}, [`${testVolume()}:/data`])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/QSCOPE_GRPC_LISTEN: .*QSCOPE_TLS_CERT_FILE.*QSCOPE_INSECURE=1/)
  })

  it('serves on a read-only file system without privileges, and its tokens are valid after a restart', async () => {
    const data = testVolume()
    const { env, address } = await plaintext()
    const http = `127.0.0.1:${await freePort()}`
    const withConsole = { ...env, QSCOPE_HTTP_LISTEN: http, QSCOPE_CONSOLE: 'on' }
    const first = await startContainer('qscope-first', withConsole, [`${data}:/data`])
    await first.until(/listens on/)
    expect((await first.exec('sh', '-c', 'id -u; readlink /proc/1/exe')).stdout).toBe('65532\n/usr/local/bin/node\n')
    expect((await first.exec('sh', '-c', 'touch /app/x || touch /tmp/x')).stderr).toContain('Read-only file system')
    expect((await first.exec('grep', 'CapEff', '/proc/1/status')).stdout).toMatch(/CapEff:\s+0{16}/)
    await expect.poll(first.isHealthy, { timeout: 60_000 }).toBe(true)
    const index = await (await fetch(`http://${http}/console/`)).text()
    const script = /src="(\/console\/assets\/[^"]+\.js)"/.exec(index)?.[1]
    expect((await fetch(`http://${http}${script}`)).headers.get('content-type')).toMatch(/javascript/)

    const { connection, asAdmin } = await administered(first, address)
    const { token } = await connection.call(TokenService.method.mintToken, { client: asAdmin })
    const accessToken = token?.accessToken ?? ''
    await connection.call(TokenService.method.verifyToken, { client: asAdmin, token: accessToken })
    connection.close()
    await first.signal('TERM')
    expect(await first.ended).toBe(0)

    const second = await startContainer('qscope-second', env, [`${data}:/data`])
    await second.until(/listens on/)
    const again = connect(address, { ownSocket: true })
    const { claims } = await again.call(TokenService.method.verifyToken, { client: asAdmin, token: accessToken })
    expect(claims?.clientId).toBe('admin')
    again.close()
  })

  it('answers a running call when it is asked to stop, and ends with exit code 0', async () => {
    const data = testVolume()
    const { env, address } = await plaintext()
    const server = await startContainer('qscope-draining', env, [`${data}:/data`])
    await server.until(/listens on/)
    const { connection, asAdmin } = await administered(server, address)
    await connection.call(TokenService.method.mintToken, { client: asAdmin })

    // While another process holds the lock, a mint waits.
    const holder = new Database(join(data, 'qscope.db'))
    holder.exec('begin immediate')
    const mint = connection.call(TokenService.method.mintToken, { client: asAdmin })
    const minted = mint.then(({ token }) => token?.accessToken)
    await sleep(300)
    await server.signal('TERM')
    await server.until(/stopping/)
    holder.exec('rollback')
    holder.close()
    expect(await minted).toMatch(/^qat_/)
    expect(await server.ended).toBe(0)
    connection.close()
  })

  it('is unhealthy while its database cannot be written', async () => {
    const data = testVolume()
    const { env } = await plaintext()
    const server = await startContainer('qscope-unhealthy', env, [`${data}:/data`])
    await server.until(/listens on/)
    await expect.poll(server.isHealthy, { timeout: 60_000 }).toBe(true)
    expect((await server.exec('qscope', 'migrate', 'down', '--yes')).code).toBe(0)
    await expect.poll(server.isHealthy, { timeout: 60_000 }).toBe(false)
    expect(await server.exec('qscope', 'health', '--alive')).toMatchObject({ code: 0, stdout: 'NOT_SERVING\n' })
  })

  it('ends a command without a signal handler on SIGTERM, although it is process 1', async () => {
    const { env } = await plaintext()
    const volume = [`${testVolume()}:/data`]
    expect((await runOnce(['keyring', 'create'], env, volume)).code).toBe(0)
    const rotating = await startContainer('qscope-rotating', env, volume, ['keyring', 'rotate'])
    // It has added its keys, and waits until all servers have read them.
    await expect
      .poll(async () => (await rotating.exec('qscope', 'keyring', 'status')).stdout, { timeout: 60_000 })
      .toContain('prepared')
    await rotating.signal('TERM')
    expect(await rotating.ended).toBe(143)
  })
  it.skipIf(!mysqlDatabases.available)(
    'works with the configuration of compose: a MySQL database, a migration job, secrets in files, TLS',
    async () => {
      const database = await mysqlDatabases.create()
      onTestFinished(database.drop)
      const data = testVolume()
      const secrets = testFolder()
      chmodSync(secrets, 0o755)
      const secret = (name: string, content: string | Buffer) => {
        writeFileSync(join(secrets, name), content, { mode: 0o400 })
        chownSync(join(secrets, name), USER_ID, USER_ID)
        return `/run/secrets/${name}`
      }
      const port = await freePort()
      const env = {
        QSCOPE_GRPC_LISTEN: `0.0.0.0:${port}`,
        QSCOPE_ISSUER: 'https://tokens.example.com',
        QSCOPE_DATABASE_URL_FILE: secret('database-url', database.url),
        QSCOPE_TLS_CERT_FILE: secret('tls.crt', serving.cert),
        QSCOPE_TLS_KEY_FILE: secret('tls.key', serving.key),
      }
      const mounts = [`${data}:/data`, `${secrets}:/run/secrets:ro`]
      const job = await runOnce(['migrate', 'up'], env, mounts)
      expect([job.code, job.stderr]).toEqual([0, ''])
      expect((await runOnce(['migrate', 'up'], env, mounts)).code).toBe(0)

      const server = await startContainer('qscope-compose', env, mounts)
      await server.until(/listens on .*TLS/)
      await expect.poll(server.isHealthy, { timeout: 60_000 }).toBe(true)
      const made = await server.exec('qscope', 'client', 'create', '--admin', '--id', 'admin', '--json')
      const { client, clientSecret } = JSON.parse(made.stdout)
      const asAdmin = { clientId: client.clientId, method: { case: 'clientSecret' as const, value: clientSecret } }
      const connection = connect(`127.0.0.1:${port}`, { ownSocket: true, channel: channelOf(ca) })
      const { token } = await connection.call(TokenService.method.mintToken, { client: asAdmin })
      const request = { client: asAdmin, token: token?.accessToken ?? '' }
      expect((await connection.call(TokenService.method.verifyToken, request)).claims?.clientId).toBe('admin')
      connection.close()
      await server.signal('TERM')
      expect(await server.ended).toBe(0)
      expect(server.output()).not.toContain(clientSecret)
    },
  )
})
