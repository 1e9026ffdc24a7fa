import { createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isLoopback } from '../../src/config/address.ts'
import { emptyFolder, qscope } from './process.ts'

const TIMEOUT = 60_000
const SECRET = `qcs_${'S'.repeat(49)}`
const AS_CLIENT = ['--client-id', 'orders', '--client-secret', SECRET]

test.each([
  ['127.0.0.1', true],
  ['127.255.255.254', true],
  ['::1', true],
  ['[::1]', true],
  ['0:0:0:0:0:0:0:1', true],
  ['::ffff:127.0.0.1', true],
  ['LOCALHOST', true],
  ['128.0.0.1', false],
  ['127.0.0.999', false],
  ['127.0.0.1.example.com', false],
  ['localhost.example.com', false],
  ['::2', false],
  ['0.0.0.0', false],
])('whether only this machine can reach %s: %s', (host, loopback) => {
  expect(isLoopback(host)).toBe(loopback)
})

describe('credentials in plaintext', () => {
  test.each([
    ['192.0.2.1:50051', ['token', 'mint', ...AS_CLIENT]],
    ['127.0.0.1.example.invalid:50051', ['client', 'list', ...AS_CLIENT]],
    ['[2001:db8::1]:50051', ['audit', 'list', '--token', `qat_${'T'.repeat(49)}`]],
    ['qscope.invalid:50051', ['keys', 'list', ...AS_CLIENT]],
  ])(
    'are not sent to %s by default, and the error names both alternatives',
    async (server, args) => {
      const { code, stdout, stderr } = await qscope(emptyFolder(), [...args, '--server', server])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/^qscope: .*plaintext.*--tls.*--plaintext.*\n$/)
      expect(stderr).not.toMatch(/SSSS|TTTT/)
    },
    TIMEOUT,
  )

  test.each([['--tls'], ['--ca-file=/dev/null']])(
    '%s and --plaintext contradict each other',
    async (option) => {
      const args = ['client', 'list', '--server', '127.0.0.1:1', '--plaintext', option, ...AS_CLIENT]
      expect(await qscope(emptyFolder(), args)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('--plaintext'),
      })
    },
    TIMEOUT,
  )

  test(
    'are sent with --plaintext',
    async () => {
      const args = ['client', 'list', '--server', 'qscope.invalid:50051', '--plaintext', ...AS_CLIENT]
      expect((await qscope(emptyFolder(), args)).code).toBe(1)
    },
    TIMEOUT,
  )
})

describe('a proxy in the environment', () => {
  const seen: string[] = []
  const sockets = new Set<Socket>()
  const proxy = createServer((socket) => {
    sockets.add(socket)
    socket.on('data', (bytes) => seen.push(bytes.toString('latin1'))).on('error', () => undefined)
  })
  let port = 0

  beforeAll(async () => {
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const address = proxy.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
  })
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })

  test.each([['http_proxy'], ['grpc_proxy'], ['https_proxy']])(
    'of %s is not used for plaintext to loopback',
    async (variable) => {
      const args = ['client', 'list', '--server', '127.0.0.1:1', ...AS_CLIENT]
      const { code } = await qscope(emptyFolder(), args, { [variable]: `http://127.0.0.1:${port}` })
      expect(code).toBe(1)
      expect(seen).toEqual([])
    },
    TIMEOUT,
  )
})
