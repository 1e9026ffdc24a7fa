import { createServer } from 'node:net'
import { expect, test, vi } from 'vitest'
import { run, qscope as start, temporaryDirectory } from '../e2e/process.ts'
import { certificateAuthority, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { freePort } from '../setup/free-port.ts'

const TIMEOUT_MS = 300_000
vi.setConfig({ testTimeout: TIMEOUT_MS })

const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const serving = ca.issue('server', LOCAL_NAMES)
const elsewhere = ca.issue('elsewhere', ['DNS:qscope.internal'])

/** A server on a port that its environment names, so that a command in the same environment finds it. */
async function started(host = '127.0.0.1', more: Record<string, string> = {}) {
  const directory = await temporaryDirectory()
  const port = await freePort()
  const env = { QSCOPE_GRPC_LISTEN: `${host}:${port}`, ...more }
  const server = start(directory, ['serve'], env)
  await server.until(/listens on/)
  return { directory, env, address: `127.0.0.1:${port}`, server }
}

test('checks the server of its own environment, and prints SERVING', async () => {
  const { directory, env } = await started()
  expect(await run(directory, ['health'], env)).toEqual({ code: 0, stdout: 'SERVING\n', stderr: '' })
})

test('checks one service of another server, in JSON', async () => {
  const { address } = await started()
  const args = ['health', '--server', address, '--service', 'qscope.v1.TokenService', '--json']
  const { code, stdout } = await run(await temporaryDirectory(), args)
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({ server: address, service: 'qscope.v1.TokenService', status: 'SERVING' })
})

test('fails for a service that the server does not have', async () => {
  const { directory, env, address } = await started()
  const { code, stderr } = await run(directory, ['health', '--service', 'nobody.v1.Service'], env)
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `qscope: the server at ${address} has no service nobody.v1.Service\n`,
  })
})

test('fails while the schema is too old, and succeeds for liveness', async () => {
  const { directory, env } = await started()
  expect((await run(directory, ['migrate', 'down', '--yes'], env)).code).toBe(0)
  await expect
    .poll(() => run(directory, ['health'], env), { timeout: 20_000 })
    .toEqual({ code: 1, stdout: 'NOT_SERVING\n', stderr: '' })
  expect(await run(directory, ['health', '--alive'], env)).toEqual({ code: 0, stdout: 'NOT_SERVING\n', stderr: '' })
})

test('fails in one line if nothing listens', async () => {
  const { code, stdout, stderr } = await run(await temporaryDirectory(), ['health', '--server', '127.0.0.1:1'])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^qscope: no server listens at 127\.0\.0\.1:1: .+\n$/)
})

test('fails within the time limit if a listener does not answer, also for liveness', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await new Promise((listening) => silent.once('listening', listening))
  const bound = silent.address()
  const port = typeof bound === 'object' ? bound?.port : undefined
  const args = ['health', '--alive', '--timeout', '300ms', '--server', `127.0.0.1:${port}`]
  const { code, stderr } = await run(await temporaryDirectory(), args)
  silent.close()
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^qscope: .*127\.0\.0\.1:\d+.*\n$/) })
})

test('reaches a server with TLS on all addresses, whatever name its certificate is for', async () => {
  const tls = { QSCOPE_TLS_CERT_FILE: elsewhere.certFile, QSCOPE_TLS_KEY_FILE: elsewhere.keyFile }
  const { directory, env } = await started('0.0.0.0', tls)
  expect((await run(directory, ['health'], env)).stdout).toBe('SERVING\n')
})

test('presents its certificate to a server that requires one', async () => {
  const { directory, env } = await started('127.0.0.1', {
    QSCOPE_TLS_CERT_FILE: serving.certFile,
    QSCOPE_TLS_KEY_FILE: serving.keyFile,
    QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
    QSCOPE_TLS_CLIENT_AUTH: 'require',
  })
  expect((await run(directory, ['health'], env)).stdout).toBe('SERVING\n')
})

test('verifies the certificate of a given server', async () => {
  const tls = { QSCOPE_TLS_CERT_FILE: elsewhere.certFile, QSCOPE_TLS_KEY_FILE: elsewhere.keyFile }
  const { directory, address } = await started('127.0.0.1', tls)
  const { code, stderr } = await run(directory, ['health', '--server', address, '--ca-file', ca.certFile])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^qscope: .* is for DNS:qscope\.internal, not for 127\.0\.0\.1: .+\n$/)
})

test('checks a server by its address over TLS, and prints only the answer', async () => {
  const tls = { QSCOPE_TLS_CERT_FILE: serving.certFile, QSCOPE_TLS_KEY_FILE: serving.keyFile }
  const { directory, address } = await started('127.0.0.1', tls)
  const answer = await run(directory, ['health', '--server', address, '--ca-file', ca.certFile])
  expect(answer).toEqual({ code: 0, stdout: 'SERVING\n', stderr: '' })
})

test('rejects an environment with port 0, and an invalid one', async () => {
  const directory = await temporaryDirectory()
  const open = await run(directory, ['health'], { QSCOPE_GRPC_LISTEN: '127.0.0.1:0' })
  expect(open).toMatchObject({ code: 2, stderr: expect.stringContaining('--server') })
  const wrong = await run(directory, ['health'], { QSCOPE_GRPC_LISTEN: 'nowhere' })
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('QSCOPE_GRPC_LISTEN') })
})
