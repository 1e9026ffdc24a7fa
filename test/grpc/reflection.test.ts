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
import type { Client } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../../src/gen/grpc/reflection/v1/reflection_pb.ts'
import { access as accessOption } from '../../src/gen/qscope/v1/options_pb.ts'
import { file_qscope_v1_token_service } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { GRPCURL, hasGrpcurl, run } from './grpcurl.ts'
import { startServer, tokenRoutes } from './harness.ts'

const SERVICES = [
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
  'qscope.v1.TokenService',
]

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
    expect(toBinary(FileDescriptorProtoSchema, found)).toEqual(compiled)
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

  it('answers NOT_FOUND for what there is not, and stays open', async () => {
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
