import { create, type DescField, type DescMessage, type Message, ScalarType, toJsonString } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import { type Any, AnySchema, anyPack, ValueSchema } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { file_google_rpc_error_details } from '../../../src/gen/google/rpc/error_details_pb.ts'
import { jsonTypes } from '../../../src/transports/http/request-handler.ts'
import { post, startApplication } from './application.ts'

const server = await startApplication()
const orders = await server.registerClient({ clientId: 'orders', scopes: ['a', 'b'] })
const asOrders = { authorization: `Basic ${btoa(`${orders.clientId}:${orders.clientSecret}`)}` }
const outputs = server.app.pipeline.routes.map(
  ({ method }) => [`${method.parent.name}.${method.name}`, method.output] as const,
)
const registry = jsonTypes(server.app.pipeline.routes)

/** A message with every field set; of a oneof, the last one. */
function filled(schema: DescMessage, depth = 0): Message {
  const message = create(schema)
  const into = reflect(schema, message)
  for (const field of schema.fields) {
    if (field.fieldKind === 'list') into.get(field).add(itemOf(field, depth))
    else if (field.fieldKind === 'map') into.get(field).set('key', field.mapKind === 'message' ? jsonText() : 'text')
    else if (field.fieldKind === 'message') {
      if (depth < 4) into.set(field, reflect(field.message, messageOf(field.message, depth)))
    } else if (field.fieldKind === 'enum') into.set(field, field.enum.values.at(-1)?.number ?? 0)
    else into.set(field, scalarOf(field.scalar))
  }
  return message
}

/** The only messages in maps are the values of a `Struct`. */
function jsonText() {
  return reflect(ValueSchema, create(ValueSchema, { kind: { case: 'stringValue', value: 'text' } }))
}

function itemOf(field: DescField & { fieldKind: 'list' }, depth: number) {
  if (field.listKind === 'message') return reflect(field.message, messageOf(field.message, depth))
  return field.listKind === 'enum' ? (field.enum.values.at(-1)?.number ?? 0) : scalarOf(field.scalar)
}

function messageOf(schema: DescMessage, depth: number): Message {
  return schema.typeName === AnySchema.typeName ? anyOf(depth) : filled(schema, depth + 1)
}

/** The details of a status: each type in turn. */
let turn = 0
function anyOf(depth: number): Any {
  const details = file_google_rpc_error_details.messages
  turn += 1
  const schema = details[turn % details.length]
  if (schema === undefined) throw new Error('there are no details')
  return anyPack(schema, filled(schema, depth + 1))
}

function scalarOf(scalar: ScalarType) {
  switch (scalar) {
    case ScalarType.STRING:
      return 'text'
    case ScalarType.BYTES:
      return Uint8Array.of(1, 2)
    case ScalarType.BOOL:
      return true
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 7n
    default:
      return 7
  }
}

describe('an answer in JSON', () => {
  it.each(outputs)('of %s can be serialized with every field set and every type of details', (_name, output) => {
    for (const _ of file_google_rpc_error_details.messages) {
      const text = toJsonString(output, filled(output), { registry, alwaysEmitImplicit: true })
      expect(JSON.parse(text)).toBeTypeOf('object')
    }
  })

  it('of a batch with one refused request contains the token of the other', async () => {
    const requests = [{ scopes: ['a'] }, { scopes: ['zz'] }]
    const { status, json } = await post(server.httpUrl, 'TokenService/BatchMintTokens', { requests }, asOrders)
    expect(status).toBe(200)
    expect(json).toMatchObject({
      results: [
        { token: { accessToken: expect.stringMatching(/^qat_/), scopes: ['a'] } },
        {
          status: {
            code: 3,
            details: expect.arrayContaining([
              {
                '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
                reason: 'OAUTH_INVALID_SCOPE',
                domain: 'qscope',
                metadata: { oauth_error: 'invalid_scope', rejected_scopes: 'zz' },
              },
            ]),
          },
        },
      ],
    })
  })
})
