import { create, createFileRegistry, type DescService, type MessageInitShape, setExtension } from '@bufbuild/protobuf'
import type { GenService } from '@bufbuild/protobuf/codegenv2'
import { FileDescriptorProtoSchema, MethodOptions_IdempotencyLevel, MethodOptionsSchema } from '@bufbuild/protobuf/wkt'
import { AccessSchema, access, file_qscope_v1_options } from '../../../src/gen/qscope/v1/options_pb.ts'
import {
  file_qscope_v1_token_service,
  type ListTokensRequestSchema,
  type MintTokenResponseSchema,
} from '../../../src/gen/qscope/v1/token_service_pb.ts'

type Rule = MessageInitShape<typeof AccessSchema> | null
type Probe<Kind extends 'unary' | 'server_streaming'> = GenService<{
  try: { methodKind: Kind; input: typeof ListTokensRequestSchema; output: typeof MintTokenResponseSchema }
}>

/** `qscope.test.Probe` with the unary method `Try` under this rule; `idempotent`: what its idempotency_level says. */
export function unaryProbe(rule: Rule, idempotent = rule?.idempotent ?? false): Probe<'unary'> {
  return compile(rule, false, idempotent) as unknown as Probe<'unary'>
}

/** The same with a stream of answers. */
export function streamProbe(rule: Rule): Probe<'server_streaming'> {
  return compile(rule, true, rule?.idempotent ?? false) as unknown as Probe<'server_streaming'>
}

/** A service that is compiled in the test, for cases without a method in the API. */
function compile(rule: Rule, serverStreaming: boolean, idempotent: boolean): DescService {
  const options = create(MethodOptionsSchema)
  if (idempotent) options.idempotencyLevel = MethodOptions_IdempotencyLevel.IDEMPOTENT
  if (rule !== null) setExtension(options, access, create(AccessSchema, rule))
  const file = create(FileDescriptorProtoSchema, {
    name: 'qscope/test.proto',
    package: 'qscope.test',
    syntax: 'proto3',
    dependency: [file_qscope_v1_token_service.proto.name, file_qscope_v1_options.proto.name],
    service: [
      {
        name: 'Probe',
        method: [
          {
            name: 'Try',
            inputType: '.qscope.v1.ListTokensRequest',
            outputType: '.qscope.v1.MintTokenResponse',
            serverStreaming,
            options,
          },
        ],
      },
    ],
  })
  const imports = [file_qscope_v1_token_service, file_qscope_v1_options]
  const registry = createFileRegistry(file, (name) => imports.find((each) => each.proto.name === name))
  const service = registry.getService('qscope.test.Probe')
  if (service === undefined) throw new Error('the test service does not compile')
  return service
}
