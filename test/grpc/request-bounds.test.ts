import { create, type DescField, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { ClientService, UpdateClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import {
  BatchIntrospectTokensRequestSchema,
  BatchMintTokensRequestSchema,
  TokenService,
} from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { findExcess } from '../../src/grpc/find-excess.ts'
import { requestBounds } from '../../src/grpc/request-bounds.ts'
import { createRequestValidator } from '../../src/grpc/validation.ts'
import { scaled } from '../setup/scale.ts'

const MEGABYTE = 1024 * 1024
const services = [ClientService, TokenService, DeviceService, UserService, AuditService, KeyService]
const inputs = services.flatMap((service) => service.methods.map((method) => method.input))
const validator = createRequestValidator()

const excessOf = (input: DescMessage, bytes: Uint8Array) => findExcess(bytes, requestBounds(input))

function isAccepted(input: DescMessage, bytes: Uint8Array): boolean {
  try {
    return validator.validate(input, fromBinary(input, bytes)).length === 0
  } catch {
    return false
  }
}

/** Encoded fields, mostly of the message's own numbers and with what is right for them. */
function fieldsOf(message: DescMessage, depth: number): fc.Arbitrary<Uint8Array> {
  const odd = fc.tuple(
    fc.integer({ min: 1, max: 40 }),
    fc.constantFrom(0, 1, 2, 3, 4, 5),
    fc.uint8Array({ maxLength: 9 }),
  )
  const oddField = odd.map(([number, wireType, bytes]) => new BinaryWriter().tag(number, wireType).raw(bytes).finish())
  const own = message.fields.map((field) => repeated(field, depth))
  const all = fc.oneof(
    { weight: 12, arbitrary: fc.oneof(...own, fc.constant(new Uint8Array())) },
    { weight: 1, arbitrary: oddField },
  )
  return fc.array(all, { maxLength: 6 }).map((parts) => Buffer.concat(parts))
}

function repeated(field: DescField, depth: number): fc.Arbitrary<Uint8Array> {
  const most = field.fieldKind === 'list' ? 210 : 1
  return fc.tuple(encodedValue(field, depth), fc.integer({ min: 0, max: most })).map(([value, count]) => {
    const one = new BinaryWriter().tag(field.number, value.wireType).raw(value.bytes).finish()
    return Buffer.concat(Array.from({ length: count }, () => one))
  })
}

function encodedValue(field: DescField, depth: number) {
  const inner = field.fieldKind === 'message' || field.fieldKind === 'list' ? field.message : undefined
  const text = fc.constantFrom('', 'a', 'orders', 'https://x', '0190aaaa-0000-7000-8000-000000000001')
  const delimited = (bytes: Uint8Array) => ({
    wireType: WireType.LengthDelimited,
    bytes: new BinaryWriter().bytes(bytes).finish(),
  })
  const number = fc
    .integer({ min: 0, max: 7 })
    .map((value) => ({ wireType: WireType.Varint, bytes: Uint8Array.of(value) }))
  const packed = fc.uint8Array({ max: 7, maxLength: 9 }).map(delimited)
  if (inner !== undefined)
    return depth > 0 ? fieldsOf(inner, depth - 1).map(delimited) : fc.constant(delimited(new Uint8Array()))
  if (field.scalar === 9 || field.fieldKind === 'map') return text.map((value) => delimited(Buffer.from(value)))
  return fc.oneof(number, packed)
}

const seen = { accepted: 0, refused: 0 }

describe('a request that is still encoded', () => {
  it.each(inputs.map((input) => [input.name, input] as const))(
    'as %s is refused only if validation would refuse it',
    (_name, input) => {
      const property = fc.property(fieldsOf(input, 2), (bytes) => {
        const [refused, accepted] = [excessOf(input, bytes) !== null, isAccepted(input, bytes)]
        if (refused) seen.refused += 1
        if (accepted) seen.accepted += 1
        expect(refused && accepted).toBe(false)
      })
      fc.assert(property, { numRuns: scaled(2_000, 150) })
    },
  )

  it('was of both kinds in the runs above', () => {
    expect(seen.accepted).toBeGreaterThan(50)
    expect(seen.refused).toBeGreaterThan(50)
  })

  it('passes at the very bounds of the schema', () => {
    const item = { scopes: Array(200).fill('s'), audiences: Array(50).fill('a'), lifetime: { seconds: 60n, nanos: 0 } }
    const client = { clientId: 'orders', method: { case: 'clientSecret' as const, value: 'x' } }
    const minting = create(BatchMintTokensRequestSchema, { client, requests: Array(100).fill(item) })
    expect(excessOf(BatchMintTokensRequestSchema, toBinary(BatchMintTokensRequestSchema, minting))).toBeNull()
    const introspecting = create(BatchIntrospectTokensRequestSchema, { client, tokens: Array(1_000).fill('t') })
    expect(
      excessOf(BatchIntrospectTokensRequestSchema, toBinary(BatchIntrospectTokensRequestSchema, introspecting)),
    ).toBeNull()
    const changing = create(UpdateClientRequestSchema, { client: { grantTypes: Array(6).fill(1) } })
    expect(excessOf(UpdateClientRequestSchema, toBinary(UpdateClientRequestSchema, changing))).toBeNull()
  })

  it.each([
    ['empty messages', BatchMintTokensRequestSchema, [0x12, 0], 'requests'],
    ['empty strings', BatchIntrospectTokensRequestSchema, [0x12, 0], 'tokens'],
    ['unknown fields', BatchMintTokensRequestSchema, [0x78, 0], ''],
    ['unknown groups', BatchMintTokensRequestSchema, [0x7b, 0x7c], ''],
    ['repetitions of one field', BatchMintTokensRequestSchema, [0x0a, 0], ''],
  ])('is refused in no time as a megabyte of %s', (_what, input, pattern, field) => {
    const bytes = Uint8Array.from({ length: MEGABYTE }, (_, at) => pattern[at % pattern.length] ?? 0)
    const bounds = requestBounds(input)
    const times = Array.from({ length: 5 }, () => {
      const begun = performance.now()
      expect(findExcess(bytes, bounds)?.field).toBe(field)
      return performance.now() - begun
    })
    expect(Math.min(...times)).toBeLessThan(20)
  })

  it('is looked into: lists inside of messages are counted, packed ones by their items', () => {
    const scopes = Buffer.concat(Array.from({ length: 201 }, () => Buffer.of(0x0a, 0)))
    const nested = new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(scopes).finish()
    expect(excessOf(BatchMintTokensRequestSchema, nested)?.field).toBe('requests.scopes')
    const grants = new BinaryWriter()
      .tag(5, WireType.LengthDelimited)
      .bytes(Uint8Array.from(Array(7).fill(1)))
      .finish()
    const changing = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(grants).finish()
    expect(excessOf(UpdateClientRequestSchema, changing)?.field).toBe('client.grant_types')
  })

  it('is left to the parser when it makes no sense', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...inputs), (bytes, input) => {
      if (isAccepted(input, bytes)) expect(excessOf(input, bytes)).toBeNull()
    })
    fc.assert(property, { numRuns: scaled(50_000, 3_000) })
    expect(excessOf(BatchMintTokensRequestSchema, Buffer.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f))).toBeNull()
    expect(excessOf(BatchMintTokensRequestSchema, new Uint8Array(20).fill(0xff))).toBeNull()
  })
})
