import { create, type DescField, type DescMessage, ScalarType, toBinary } from '@bufbuild/protobuf'
import { isWrapperDesc } from '@bufbuild/protobuf/wkt'
import { expect, it } from 'vitest'
import { SERVICES } from '../../../scripts/service-config.ts'
import {
  BatchIntrospectTokensResponseSchema,
  IntrospectTokenResponseSchema,
} from '../../../src/gen/qscope/v1/token_service_pb.ts'
import type { JsonObject, JsonValue } from '../../../src/json-object.ts'
import { AnswerEncoder } from '../../../src/rpc/answer-encoding/answer-encoder.ts'

const ANSWERS = SERVICES.flatMap(({ methods }) => methods.map(({ output }) => output))
const TEXTS = [
  '',
  'a',
  'orders:read',
  'ä',
  '\u{1f600}',
  'a\0b',
  'half \ud800',
  'x'.repeat(79),
  'x'.repeat(200),
  'é'.repeat(60),
]
const INTEGERS = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, -1, -(2 ** 31)]
const LONGS = [0n, 1n, 127n, 128n, 1_790_000_000n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -1n, -(2n ** 63n)]
const ROUNDS = 300
const DEEPEST = 4

/** At least 0 and below `below`, the same from run to run. */
function picker(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

type Pick = ReturnType<typeof picker>

/** What a message might be made of: fields left out, null or zero among them. */
function initOf(schema: DescMessage, pick: Pick, depth = 0): Record<string, unknown> {
  const init: Record<string, unknown> = {}
  for (const member of schema.members) {
    const chance = pick(8)
    if (chance === 0) continue
    if (chance === 1) init[member.localName] = undefined
    else if (member.kind === 'oneof') {
      const field = member.fields[pick(member.fields.length + 1)]
      init[member.localName] = field === undefined ? {} : { case: field.localName, value: given(field, pick, depth) }
    } else if (member.fieldKind === 'list') {
      init[member.localName] = Array.from({ length: pick(4) }, () => given(member, pick, depth))
    } else if (member.fieldKind === 'map') {
      init[member.localName] = Object.fromEntries(Array.from({ length: pick(3) }, (_, at) => [`k${at}`, 'v']))
    } else init[member.localName] = given(member, pick, depth)
  }
  return init
}

function given(field: DescField, pick: Pick, depth: number): unknown {
  const one = <T>(values: readonly T[]) => values[pick(values.length)]
  if (field.message !== undefined) {
    if (field.fieldKind === 'message' && isWrapperDesc(field.message)) return one(TEXTS)
    if (field.message.typeName === 'google.protobuf.Struct') return jsonObject(pick)
    const init = depth < DEEPEST ? initOf(field.message, pick, depth + 1) : {}
    return pick(2) === 0 ? init : create(field.message, init)
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return one(TEXTS)
    case ScalarType.BYTES:
      return Uint8Array.from({ length: pick(300) }, () => pick(256))
    case ScalarType.BOOL:
      return pick(2) === 0
    case ScalarType.INT64:
      return one(LONGS)
    case ScalarType.UINT64:
      return one(LONGS.filter((value) => value >= 0n))
    case ScalarType.UINT32:
      return one(INTEGERS.filter((value) => value >= 0))
    case undefined:
      return field.fieldKind === 'enum' || field.fieldKind === 'list'
        ? one(field.enum?.values ?? [])?.number
        : undefined
    default:
      return one(INTEGERS)
  }
}

function jsonObject(pick: Pick, depth = 0): JsonObject {
  return Object.fromEntries(Array.from({ length: pick(4) }, () => [TEXTS[pick(6)] ?? '', jsonValue(pick, depth)]))
}

function jsonValue(pick: Pick, depth: number): JsonValue {
  const one = <T>(values: readonly T[], otherwise: T) => values[pick(values.length)] ?? otherwise
  switch (pick(depth < DEEPEST ? 6 : 4)) {
    case 0:
      return null
    case 1:
      return pick(2) === 0
    case 2:
      return one([0, -0, 1, -1, 0.1, 1e308, 5e-324, 2 ** 53], 0)
    case 3:
      return one(TEXTS.slice(0, 6), '')
    case 4:
      return Array.from({ length: pick(4) }, () => jsonValue(pick, depth + 1))
    default:
      return jsonObject(pick, depth + 1)
  }
}

it('encodes each answer of the contract as the library does, byte for byte', () => {
  const encoder = new AnswerEncoder()
  const pick = picker(20_261_201)
  for (const schema of ANSWERS) {
    for (let round = 0; round < ROUNDS; round += 1) {
      const init = initOf(schema, pick)
      const expected = toBinary(schema, create(schema, init))
      expect(Buffer.from(encoder.encode(schema, init)).toString('hex'), schema.typeName).toBe(
        Buffer.from(expected).toString('hex'),
      )
    }
  }
})

it('does not share bytes between answers', () => {
  const encoder = new AnswerEncoder()
  const first = encoder.encode(IntrospectTokenResponseSchema, { active: true, claims: { tokenId: 'one' } })
  const before = Buffer.from(first)
  encoder.encode(IntrospectTokenResponseSchema, { active: true, claims: { tokenId: 'two' } })
  expect(Buffer.from(first).equals(before)).toBe(true)
})

it('encodes answers of many megabytes, and small ones after them', () => {
  const encoder = new AnswerEncoder()
  const claims = { scopes: Array.from({ length: 200 }, (_, at) => `scope:${at}`), issuer: 'x'.repeat(5_000) }
  const many = { results: Array.from({ length: 1_000 }, () => ({ active: true, claims })) }
  for (const init of [many, { results: [] }, many, { results: [{ active: false }] }]) {
    const expected = toBinary(BatchIntrospectTokensResponseSchema, create(BatchIntrospectTokensResponseSchema, init))
    expect(Buffer.compare(encoder.encode(BatchIntrospectTokensResponseSchema, init), expected)).toBe(0)
  }
})

it('works after an answer that cannot be encoded', () => {
  const encoder = new AnswerEncoder()
  const broken = { active: true, claims: { tokenId: 'one', issueTime: { nanos: 0.5 } } }
  expect(() => encoder.encode(IntrospectTokenResponseSchema, broken)).toThrow('no integer')
  expect(encoder.encode(IntrospectTokenResponseSchema, { active: true })).toEqual(Buffer.from([8, 1]))
})
