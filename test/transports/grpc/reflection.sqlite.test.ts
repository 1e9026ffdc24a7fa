import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import {
  create,
  createFileRegistry,
  fromBinary,
  getOption,
  hasOption,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { type Client, status } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../../../src/gen/grpc/reflection/v1/reflection_pb.ts'
import { access as accessOption } from '../../../src/gen/qscope/v1/options_pb.ts'
import { file_qscope_v1_token_service } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { grpcFrame, rawCall, shutWindow } from '../../attacks/raw-streams.ts'
import { GRPCURL, hasGrpcurl, run } from '../../setup/grpcurl.ts'
import { detailsOf, openHarness, tokenRoutes } from './harness.ts'

const { startServer } = await openHarness()

const SERVICES = [
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
  'qscope.v1.TokenService',
]

const LIST = { case: 'listServices' as const, value: '' }

type Asked = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>['messageRequest']>

/** Asks one stream several things, and waits for as many answers. */
function ask(client: Client, version: 'v1' | 'v1alpha', ...asked: Asked[]) {
  const call = client.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    (request: ServerReflectionRequest) => Buffer.from(toBinary(ServerReflectionRequestSchema, request)),
    (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
  )
  for (const messageRequest of asked) call.write(create(ServerReflectionRequestSchema, { messageRequest }))
  call.end()
  return call.toArray()
}

function filesOf(responses: Awaited<ReturnType<typeof ask>>): FileDescriptorProto[] {
  return responses.flatMap(({ messageResponse: { case: kind, value } }) =>
    kind === 'fileDescriptorResponse'
      ? value.fileDescriptorProto.map((bytes: Uint8Array) => fromBinary(FileDescriptorProtoSchema, bytes))
      : [],
  )
}

describe.each(['v1', 'v1alpha'] as const)('reflection %s', (version) => {
  it('lists every service', async () => {
    const server = await startServer(tokenRoutes())
    const [response] = await ask(server.client, version, { case: 'listServices', value: '' })
    expect(response?.messageResponse).toMatchObject({ value: { service: SERVICES.map((name) => ({ name })) } })
  })

  it.each<[string, Asked]>([
    ['file name', { case: 'fileByFilename', value: 'qscope/v1/token_service.proto' }],
    ['service', { case: 'fileContainingSymbol', value: 'qscope.v1.TokenService' }],
    ['method', { case: 'fileContainingSymbol', value: 'qscope.v1.TokenService.MintToken' }],
    ['message', { case: 'fileContainingSymbol', value: 'qscope.v1.MintTokenRequest' }],
    ['field', { case: 'fileContainingSymbol', value: 'qscope.v1.MintTokenRequest.scopes' }],
  ])('finds a file by %s, exactly as compiled and with all it imports', async (_kind, asked) => {
    const server = await startServer(tokenRoutes())
    const files = filesOf(await ask(server.client, version, asked))
    const [found] = files
    if (found === undefined) throw new Error('no file')
    const compiled = toBinary(FileDescriptorProtoSchema, file_qscope_v1_token_service.proto)
    const withoutComments = { ...found, sourceCodeInfo: undefined }
    expect(toBinary(FileDescriptorProtoSchema, withoutComments)).toEqual(compiled)
    const names = files.map((file) => file.name)
    expect(names).toEqual(
      expect.arrayContaining([
        'buf/validate/validate.proto',
        'google/protobuf/descriptor.proto',
        'google/rpc/status.proto',
      ]),
    )
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: files.toReversed() }))
    const method = registry.getService('qscope.v1.TokenService')?.method['mintToken']
    expect(method && hasOption(method, accessOption) && getOption(method, accessOption).clientAuthentication).toBe(true)
  })

  it('finds extensions, and numbers them', async () => {
    const server = await startServer(tokenRoutes())
    const responses = await ask(
      server.client,
      version,
      {
        case: 'fileContainingExtension',
        value: { containingType: 'google.protobuf.MethodOptions', extensionNumber: 50551 },
      },
      { case: 'allExtensionNumbersOfType', value: 'google.protobuf.FieldOptions' },
    )
    expect(filesOf(responses)[0]?.name).toBe('qscope/v1/options.proto')
    expect(responses[1]?.messageResponse).toMatchObject({ value: { extensionNumber: expect.arrayContaining([1159]) } })
  })

  it('answers NOT_FOUND for unknown names, and stays open', async () => {
    const server = await startServer(tokenRoutes())
    const responses = await ask(
      server.client,
      version,
      { case: 'fileByFilename', value: 'no/such.proto' },
      { case: 'fileContainingSymbol', value: 'google.rpc.ErrorInfo' },
    )
    expect(responses[0]?.messageResponse).toMatchObject({ case: 'errorResponse', value: { errorCode: 5 } })
    expect(filesOf(responses)[0]?.name).toBe('google/rpc/error_details.proto')
  })
})

describe('reflection', () => {
  const reflect = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'
  const question = grpcFrame(
    toBinary(
      ServerReflectionRequestSchema,
      create(ServerReflectionRequestSchema, {
        messageRequest: { case: 'fileContainingSymbol', value: 'qscope.v1.TokenService' },
      }),
    ),
  )

  it('includes the comments of the source', async () => {
    const server = await startServer(tokenRoutes())
    const [file] = filesOf(
      await ask(server.client, 'v1', { case: 'fileContainingSymbol', value: 'qscope.v1.TokenService.MintToken' }),
    )
    const comments = file?.sourceCodeInfo?.location.map(({ leadingComments }) => leadingComments) ?? []
    expect(comments.join()).toContain('MintToken ')
  })

  it('limits the streams of an address, refuses more with a reason, and frees their places', async () => {
    const server = await startServer(tokenRoutes())
    const session = shutWindow(server.address)
    onTestFinished(() => session.destroy())
    const statuses: (string | undefined)[] = []
    const streams = Array.from({ length: 100 }, () => {
      const stream = rawCall(session, reflect)
      stream.on('response', (headers) => statuses.push(headers['grpc-status']?.toString()))
      stream.write(question)
      return stream
    })
    await expect.poll(() => statuses.length, { timeout: 10_000 }).toBe(100)
    const refused = statuses.filter((code) => code === String(status.RESOURCE_EXHAUSTED))
    expect(refused.length).toBeGreaterThan(80)
    expect(refused.length).toBeLessThan(100)
    const error = await ask(server.client, 'v1', { case: 'listServices', value: '' }).catch((thrown) => thrown)
    expect(detailsOf(error)?.info?.reason).toBe('LIMIT_EXCEEDED')
    for (const stream of streams) stream.close()
    await expect
      .poll(() => ask(server.client, 'v1', { case: 'listServices', value: '' }).catch(() => []), { timeout: 10_000 })
      .toHaveLength(1)
  })

  it('answers no request before earlier answers were read', async () => {
    const server = await startServer(tokenRoutes())
    const session = shutWindow(server.address)
    onTestFinished(() => session.destroy())
    const stream = rawCall(session, reflect)
    stream.write(Buffer.concat(Array.from({ length: 2_000 }, () => question)))
    await once(stream, 'response')
    const others = await ask(server.client, 'v1', ...Array.from({ length: 1_500 }, () => LIST))
    expect(others).toHaveLength(1_500)
  })

  it('refuses invalid and oversized requests', async () => {
    const server = await startServer(tokenRoutes())
    for (const message of [Buffer.of(0xff, 0xff), Buffer.alloc(1_000_000, Buffer.of(0x78, 0))]) {
      const session = connectHttp2(`http://${server.address}`)
      onTestFinished(() => session.destroy())
      const stream = rawCall(session, reflect)
      let code: string | undefined
      stream.on('trailers', (trailers) => {
        code = trailers['grpc-status']?.toString()
      })
      stream.resume()
      stream.end(grpcFrame(message))
      await once(stream, 'close')
      expect(code).toBe(String(status.INVALID_ARGUMENT))
    }
  })

  it('can be switched off', async () => {
    const server = await startServer(tokenRoutes(), { reflection: false })
    await expect(ask(server.client, 'v1', { case: 'listServices', value: '' })).rejects.toMatchObject({ code: 12 })
  })

  it('serves buf curl', async () => {
    const server = await startServer(tokenRoutes())
    const curl = (...args: string[]) =>
      run('buf', ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...args], { env: process.env })
    const services = await curl('--list-services', `http://${server.address}`)
    expect(services.stdout.trim().split('\n')).toEqual(SERVICES)
    const methods = await curl('--list-methods', `http://${server.address}`)
    expect(methods.stdout).toContain('qscope.v1.TokenService/MintToken')
    server.state.setServing(true)
    const health = await curl(
      '-d',
      '{"service":"qscope.v1.TokenService"}',
      `http://${server.address}/grpc.health.v1.Health/Check`,
    )
    expect(JSON.parse(health.stdout)).toEqual({ status: 'SERVING' })
  }, 300_000)

  it.runIf(hasGrpcurl)(
    'serves grpcurl',
    async () => {
      const server = await startServer(tokenRoutes())
      const grpcurl = (...args: string[]) => run(GRPCURL, ['-plaintext', server.address, ...args])
      expect((await grpcurl('list')).stdout.trim().split('\n')).toEqual(SERVICES)
      expect((await grpcurl('describe', 'qscope.v1.TokenService.MintToken')).stdout).toContain(
        'client_authentication: true',
      )
      const failed = await run(GRPCURL, ['-plaintext', server.address, 'qscope.v1.TokenService/MintToken']).catch(
        (error) => error,
      )
      expect(failed.stderr).toContain('OAUTH_INVALID_CLIENT')
    },
    20_000,
  )
})
