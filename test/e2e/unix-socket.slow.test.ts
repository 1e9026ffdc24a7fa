import { execFile } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ServerService } from '../../src/gen/qscope/v1/server_service_pb.ts'
import { connect } from '../setup/client.ts'
import { GRPCURL, hasGrpcurl } from '../setup/grpcurl.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

const { getServerMetadata } = ServerService.method
const LISTENS = /listens on (\S+)/
const SOME_MINUTES = 180_000

/** A server with both sockets in a new directory, by default on a database in memory. */
async function place(more: Readonly<Record<string, string>> = {}) {
  const directory = await temporaryDirectory()
  const [grpc, http] = [join(directory, 'grpc.sock'), join(directory, 'http.sock')]
  const variables = {
    QSCOPE_DATABASE_URL: 'sqlite::memory:',
    QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
    QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
    QSCOPE_GRPC_SOCKET: grpc,
    QSCOPE_HTTP_SOCKET: http,
    ...more,
  }
  return { directory, grpc, http, variables, start: () => qscope(directory, ['serve'], variables) }
}

async function issuerAt(path: string): Promise<string> {
  const connection = connect(`unix:${path}`, { ownSocket: true })
  try {
    return (await connection.call(getServerMetadata, {})).issuer
  } finally {
    connection.close()
  }
}

function get(socketPath: string, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  request({ socketPath, path, agent: false }, (response) => void text(response).then(resolve, reject))
    .once('error', reject)
    .end()
  return promise
}

const modeOf = (path: string) => statSync(path).mode & 0o777

describe('a server with Unix domain sockets', { timeout: SOME_MINUTES }, () => {
  it('prints their paths, answers on them, and removes them when it stops', async () => {
    const { grpc, http, start } = await place({ QSCOPE_SOCKET_MODE: '0600' })
    const server = start()
    await server.until(new RegExp(`gRPC in plaintext at unix:${grpc}\\nHTTP in plaintext at unix:${http}\\n`))
    expect([modeOf(grpc), modeOf(http)]).toEqual([0o600, 0o600])
    expect(await issuerAt(grpc)).toMatch(/^http:/)
    expect(await get(http, '/readyz')).toBe('ok\n')
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
    expect([existsSync(grpc), existsSync(http)]).toEqual([false, false])
  })

  it('replaces sockets that a killed server left behind', async () => {
    const { grpc, http, start } = await place()
    const killed = start()
    await killed.until(LISTENS)
    killed.child.kill('SIGKILL')
    await killed.ended
    expect([existsSync(grpc), existsSync(http)]).toEqual([true, true])
    await start().until(LISTENS)
    expect(await issuerAt(grpc)).toMatch(/^http:/)
    expect(await get(http, '/readyz')).toBe('ok\n')
  })

  it('does not start if another server answers on a socket, and does not affect it', async () => {
    const { grpc, start } = await place()
    await start().until(LISTENS)
    const second = start()
    expect(await second.ended).toEqual({ code: 1, signal: null })
    expect(second.stderr).toContain(`QSCOPE_GRPC_SOCKET: a server already answers at ${grpc}`)
    expect(await issuerAt(grpc)).toMatch(/^http:/)
  })

  it('refuses to replace a file, and to create a directory', async () => {
    const { directory, grpc, variables } = await place()
    writeFileSync(grpc, 'precious')
    const refusalWith = async (more: Readonly<Record<string, string>>) => {
      const { code, stderr } = await run(directory, ['serve'], { ...variables, ...more })
      expect(code).toBe(1)
      return stderr
    }
    expect(await refusalWith({})).toContain(`QSCOPE_GRPC_SOCKET: ${grpc} is not a socket; QScope replaces sockets only`)
    expect(readFileSync(grpc, 'utf8')).toBe('precious')
    const missing = join(directory, 'missing')
    expect(await refusalWith({ QSCOPE_GRPC_SOCKET: join(missing, 'a') })).toContain(
      `QSCOPE_GRPC_SOCKET: the directory ${missing} does not exist`,
    )
    mkdirSync(join(directory, 'folder'))
    expect(await refusalWith({ QSCOPE_GRPC_SOCKET: join(directory, 'folder') })).toContain('is not a socket')
    expect(await refusalWith({ QSCOPE_GRPC_SOCKET: join(grpc, 'a') })).toContain(`${grpc} is not a directory`)
  })

  it('shares them among its workers, also after one is replaced', async () => {
    const { directory, grpc, http, start } = await place({
      QSCOPE_DATABASE_URL: 'sqlite:qscope.db',
      QSCOPE_WORKERS: '2',
      QSCOPE_LOG_FORMAT: 'json',
    })
    const server = start()
    await server.until(LISTENS)
    expect([modeOf(grpc), modeOf(http)]).toEqual([0o660, 0o660])
    const inode = lstatSync(grpc).ino
    const pids = () =>
      [...server.stderr.matchAll(/"worker started","worker":\d,"pid":(\d+)/g)].map(([, pid]) => Number(pid))
    const [first = 0] = pids()
    process.kill(first, 'SIGKILL')
    await expect.poll(() => pids().length, { timeout: SOME_MINUTES }).toBe(3)
    for (let calls = 0; calls < 10; calls += 1) expect(await issuerAt(grpc)).toMatch(/^http:/)
    expect(lstatSync(grpc).ino).toBe(inode)
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
    expect([existsSync(grpc), existsSync(http)]).toEqual([false, false])
    // The modes of other files are the same as without sockets.
    expect(modeOf(join(directory, 'qscope.db'))).toBe(0o600)
  })

  it('is found by qscope doctor, which also finds sockets of a killed server', async () => {
    const { directory, grpc, http, variables, start } = await place({ QSCOPE_DATABASE_URL: 'sqlite:qscope.db' })
    const diagnosis = async () => (await run(directory, ['doctor'], variables)).stdout.replaceAll(/\s+/g, ' ')
    const server = start()
    await server.until(LISTENS)
    expect(await diagnosis()).toContain(`a server already answers at ${grpc}`)
    server.child.kill('SIGKILL')
    await server.ended
    const left = await diagnosis()
    expect(left).toContain(`${grpc} is left over, and no process answers there; the next start replaces it`)
    expect(left).toContain(`${http} is left over`)
    // The doctor changes nothing.
    expect(existsSync(grpc)).toBe(true)
  })
})

it.skipIf(!hasGrpcurl)('grpcurl calls a server at its Unix domain socket', { timeout: SOME_MINUTES }, async () => {
  const { grpc, start } = await place({ QSCOPE_REFLECTION: 'on' })
  const server = start()
  onTestFinished(() => void server.child.kill('SIGKILL'))
  await server.until(LISTENS)
  const { stdout } = await promisify(execFile)(GRPCURL, [
    '-plaintext',
    '-unix',
    grpc,
    'qscope.v1.ServerService/GetServerMetadata',
  ])
  expect(JSON.parse(stdout)).toMatchObject({ issuer: expect.stringMatching(/^http:/) })
})
