import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { credentials } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { trustedWorkload } from '../docs/trusted-workload.ts'
import { LOCAL_NAMES, selfSigned, suiteFolder } from '../setup/certificates.ts'
import { type Connection, connect, Refused } from '../setup/client.ts'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { childrenOf, killTree } from '../setup/kill-tree.ts'
import { isAlive } from '../setup/signal-process.ts'
import { qscope, run, temporaryDirectory, watched } from './process.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const MINUTES_MS = 300_000
const PATIENCE = { timeout: 60_000 }
/** The state of a listening socket in the tables of /proc/net. */
const LISTENING = '0A'
const folder = suiteFolder()

type Server = ReturnType<typeof watched>

const linesOf = ({ stderr }: Server) =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line): Record<string, unknown> => JSON.parse(line))

const messages = (server: Server) => linesOf(server).map(({ msg }) => msg)

const reloads = (server: Server) => linesOf(server).filter(({ msg }) => msg === 'reloaded')

async function hangUp(server: Server) {
  const before = reloads(server).length
  server.child.kill('SIGHUP')
  await expect.poll(() => reloads(server).length, PATIENCE).toBe(before + 1)
  return reloads(server).at(-1)
}

/** The ports that these processes listen on. */
function portsOf(pids: readonly number[]): number[] {
  const sockets = new Set(pids.flatMap(socketsOf))
  return ['tcp', 'tcp6']
    .flatMap((table) => readFileSync(`/proc/net/${table}`, 'utf8').split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode = '']) => state === LISTENING && sockets.has(inode))
    .map(([, local = '']) => Number.parseInt(local.split(':').at(-1) ?? '', 16))
}

function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, fd)))?.[1] ?? []
    } catch {
      // It was closed after it was listed.
      return []
    }
  })
}

async function reached(address: string, call: (connection: Connection) => Promise<unknown>) {
  const connection = connect(address, { ownSocket: true })
  try {
    return await call(connection)
  } finally {
    connection.close()
  }
}

const keySetAt = (address: string) => reached(address, ({ call }) => call(TokenService.method.getJsonWebKeySet, {}))

/** The numbers of workers; with 1, one process serves. */
describe.each([1, 2])('a server of %d process(es)', (workers) => {
  const served = async (variables: Readonly<Record<string, string>> = {}) => {
    const directory = await temporaryDirectory()
    const server = qscope(directory, ['serve'], {
      QSCOPE_WORKERS: String(workers),
      QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
      ...variables,
    })
    const [, address = ''] = await server.until(/listens on (\S+)/)
    const main = server.child.pid ?? 0
    return { directory, server, address, pids: [main, ...childrenOf(main)] }
  }

  it(
    'continues after SIGHUP, and opens no debugger after SIGUSR1, including its workers',
    async () => {
      const { server, address, pids } = await served()
      expect(pids).toHaveLength(workers === 1 ? 1 : workers + 1)
      const ports = portsOf(pids)
      expect(ports.length).toBeGreaterThan(0)
      for (const pid of pids) {
        for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const) process.kill(pid, signal)
      }
      const ignored = () => linesOf(server).filter(({ msg }) => msg === 'signal ignored')
      await expect.poll(() => ignored().length, PATIENCE).toBe(pids.length)
      await expect.poll(() => reloads(server).length, PATIENCE).toBe(1)
      await keySetAt(address)
      expect(pids.filter(isAlive)).toEqual(pids)
      expect(portsOf(pids)).toEqual(ports)
      expect(server.stderr).not.toContain('Debugger')
      server.child.kill('SIGTERM')
      expect(await server.ended).toEqual({ code: 0, signal: null })
    },
    MINUTES_MS,
  )

  it(
    'reloads certificates, keyring and trusted issuers at SIGHUP, and logs an invalid one in one line and keeps the old one',
    async () => {
      const [before, renewed] = ['before', 'renewed'].map((name) =>
        selfSigned(folder, `${name}-${workers}`, LOCAL_NAMES),
      )
      if (before === undefined || renewed === undefined) throw new Error('two certificates were to be made')
      const files = await temporaryDirectory()
      const at = (name: string) => join(files, name)
      const install = ({ certFile, keyFile }: typeof before) => {
        copyFileSync(certFile, at('server.pem'))
        copyFileSync(keyFile, at('server.key'))
      }
      install(before)
      const { issuersFile, assertion } = await trustedWorkload(files)
      const trusted = readFileSync(issuersFile, 'utf8')
      const { issuers } = JSON.parse(trusted)
      writeFileSync(issuersFile, JSON.stringify({ issuers: [{ ...issuers[0], issuer: 'https://another.example' }] }))
      const keyringFile = at('keyring.json')
      const { directory, server, address } = await served({
        QSCOPE_TLS_CERT_FILE: at('server.pem'),
        QSCOPE_TLS_KEY_FILE: at('server.key'),
        // Longer than the test, so that only the signal causes a reload.
        QSCOPE_TLS_RELOAD_INTERVAL: '1d',
        QSCOPE_TRUSTED_ISSUERS_FILE: issuersFile,
        QSCOPE_KEYRING_FILE: keyringFile,
      })
      const env = { QSCOPE_KEYRING_FILE: keyringFile }
      const shop = [
        'client',
        'create',
        '--local',
        '--id',
        'shop',
        '--grant',
        'jwt_bearer',
        '--scope',
        'cart.read',
        '--json',
      ]
      expect(await run(directory, shop, env)).toMatchObject({ code: 0, stderr: '' })
      const channel = credentials.createSsl(readFileSync(renewed.certFile))
      const exchange = async () => {
        const connection = connect(address, { ownSocket: true, channel })
        try {
          return (await connection.call(TokenService.method.exchangeAssertion, { assertion })).token?.accessToken
        } catch (error) {
          return error instanceof Refused ? error.reason : String(error)
        } finally {
          connection.close()
        }
      }

      install(renewed)
      writeFileSync(issuersFile, trusted)
      expect(await hangUp(server)).toMatchObject({ parts: ['TLS files', 'keyring', 'trusted issuers'] })
      // Workers reload one after the other.
      await expect.poll(() => certificatesAt(address), PATIENCE).toEqual([renewed.thumbprint])
      for (let n = 0; n < 2 * workers; n += 1) await expect.poll(exchange, PATIENCE).toMatch(/^qat_/)

      copyFileSync(before.keyFile, at('server.key'))
      writeFileSync(issuersFile, '{"issuers": [{')
      const keyring = readFileSync(keyringFile)
      writeFileSync(keyringFile, 'no keyring')
      expect(await hangUp(server)).toMatchObject({ parts: [] })
      writeFileSync(keyringFile, keyring)
      const told = linesOf(server).filter(({ msg }) => String(msg).includes('cannot be reloaded'))
      expect(told.map(({ part }) => part)).toEqual(['TLS files', 'keyring', 'trusted issuers'])
      for (const { problem } of told) expect(problem).toMatch(/^[^\n]+$/)
      expect(await certificatesAt(address)).toEqual([renewed.thumbprint])
      for (let n = 0; n < 2 * workers; n += 1) expect(await exchange()).toMatch(/^qat_/)

      // Invalid keys are found when they are read, not when a call needs them.
      writeFileSync(issuersFile, trusted)
      install(renewed)
      writeFileSync(at('cluster.jwks.json'), '{"keys": 5}')
      expect(await hangUp(server)).toMatchObject({ parts: ['TLS files', 'keyring'] })
      server.child.kill('SIGTERM')
      expect(await server.ended).toEqual({ code: 0, signal: null })
    },
    MINUTES_MS,
  )
})

/** The distinct certificates of several new connections. */
async function certificatesAt(address: string): Promise<string[]> {
  const shown = await Promise.all(Array.from({ length: 6 }, () => certificateAt(address)))
  return [...new Set(shown)]
}

/** `x5t#S256` of the server certificate of a new connection. */
async function certificateAt(address: string): Promise<string> {
  const port = Number(address.split(':').at(-1))
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  await once(socket, 'secureConnect')
  const { raw } = socket.getPeerCertificate()
  socket.destroy()
  return createHash('sha256').update(raw).digest('base64url')
}

describe('with each way to start it', () => {
  const WAYS = [
    ['npm start', 'npm', ['start']],
    ['npm run qscope', 'npm', ['run', 'qscope', '--', 'serve']],
    ['src/main.ts', join(ROOT, 'src', 'main.ts'), ['serve']],
  ] as const

  it.each(WAYS)(
    '%s, SIGTERM drains the server and ends all processes, and SIGUSR1 opens no debugger',
    async (_way, command, args) => {
      const directory = await temporaryDirectory()
      const child = spawn(command, args, {
        cwd: ROOT,
        env: {
          ...COMPILE_CACHE,
          PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env['PATH']}`,
          HOME: directory,
          QSCOPE_DATABASE_URL: `sqlite:${join(directory, 'qscope.db')}`,
          QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
          QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
        },
      })
      onTestFinished(() => killTree(child.pid ?? 0))
      const server = watched(child)
      const [, address = ''] = await server.until(/listens on (\S+)/)
      const pids = treeOf(child.pid ?? 0)
      const [serving = 0] = pids.filter((pid) => portsOf([pid]).includes(Number(address.split(':').at(-1))))
      expect(childrenOf(serving)).toEqual([])
      expect(readFileSync(`/proc/${serving}/cmdline`, 'utf8').split('\0')).toContain('--disable-sigusr1')
      process.kill(serving, 'SIGUSR1')
      await keySetAt(address)
      expect(server.stderr).not.toContain('Debugger')
      child.kill('SIGTERM')
      await server.ended
      for (const pid of pids) await expect.poll(() => isAlive(pid), PATIENCE).toBe(false)
      expect(messages(server)).toContain('stopped')
    },
    MINUTES_MS,
  )
})

function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)]
}
