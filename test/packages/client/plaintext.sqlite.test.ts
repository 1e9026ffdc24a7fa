import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { credentials } from '@grpc/grpc-js'
import { expect, it, onTestFinished } from 'vitest'
import { connectChannel } from '../../../packages/client/src/connect/channel.ts'
import { refusePlaintext } from '../../../packages/client/src/connect/refuse-plaintext.ts'
import { TokenService } from '../../../packages/client/src/gen/qscope/v1/token_service_pb.ts'
import { type GrpcJsChannelOptions, grpcJsChannel } from '../../../packages/client/src/grpc-js/channel.ts'
import { isLoopbackTarget } from '../../../packages/client/src/loopback.ts'
import { grpcKeySet } from '../../../packages/client/src/verification/key-set.ts'
import { errorOf, givenServer } from './given.ts'

const FILE = join(import.meta.dirname, '..', '..', '..', 'clients', 'conformance', 'plaintext-cases.json')
/** The cases that the libraries of all languages are tested with. */
const cases = JSON.parse(readFileSync(FILE, 'utf8')) as Record<'loopback' | 'elsewhere', readonly string[]>
const insecure = credentials.createInsecure()
const server = givenServer()

function open(address: string, options: GrpcJsChannelOptions = {}) {
  const channel = grpcJsChannel(address, options)
  onTestFinished(() => channel.close())
  return channel
}

it('tells from the text of a target whether it is a loopback address', () => {
  expect(cases.loopback.filter((target) => !isLoopbackTarget(target))).toEqual([])
  expect(cases.elsewhere.filter(isLoopbackTarget)).toEqual([])
})

it.each(['qscope.internal:50051', '10.0.0.1:50051', 'localhost.example.com:50051'])(
  'refuses plaintext to %s, also for keys, unless allowPlaintext is set',
  (address) => {
    expect(() => grpcKeySet(open(address, { credentials: insecure }))).toThrow('allowPlaintext')
    open(address, { credentials: insecure, allowPlaintext: true })
    open(address)
  },
)

it('sends plaintext to this machine, and ignores a proxy of the environment', async () => {
  process.env['grpc_proxy'] = 'http://127.0.0.1:9'
  onTestFinished(() => {
    delete process.env['grpc_proxy']
  })
  const channel = open(server().address, { credentials: insecure })
  expect((await channel.unary(TokenService.method.getJsonWebKeySet, {})).maxAge?.seconds).toBe(300n)
})

it('refuses plaintext of a Connect transport to other machines, unless allowPlaintext is set', async () => {
  const over = (baseUrl: string, allowPlaintext?: boolean) =>
    connectChannel(createGrpcTransport({ baseUrl, interceptors: [refusePlaintext({ allowPlaintext })] }))
  const keys = TokenService.method.getJsonWebKeySet
  expect((await over(`http://${server().address}`).unary(keys, {})).maxAge?.seconds).toBe(300n)
  const refused = await errorOf(over('http://qscope.invalid:50051').unary(keys, {}))
  expect(refused).toMatchObject({ status: 'FAILED_PRECONDITION', message: expect.stringContaining('allowPlaintext') })
  expect((await errorOf(over('http://qscope.invalid:50051', true).unary(keys, {}))).status).toBe('UNAVAILABLE')
  expect((await errorOf(over('https://qscope.invalid:50051').unary(keys, {}))).status).toBe('UNAVAILABLE')
})
