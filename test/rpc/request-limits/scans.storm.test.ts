import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  fromJsonString,
  type Message,
  toBinary,
  toJson,
} from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { SERVICES } from '../../../scripts/service-config.ts'
import { UpdateClientRequestSchema } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import {
  BatchIntrospectTokensRequestSchema,
  BatchMintTokensRequestSchema,
  MintTokenRequestSchema,
} from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { BinaryScan } from '../../../src/rpc/request-limits/binary-scan.ts'
import { JsonScan } from '../../../src/rpc/request-limits/json-scan.ts'
import { messageLimits } from '../../../src/rpc/request-limits/message-limits.ts'
import { scaled } from '../../setup/scale.ts'
import { seededRandom, testSeed } from '../../setup/seeded-random.ts'
import { binaryRequest, jsonRequest, type Pick } from './encodings.ts'

const inputs = SERVICES.flatMap((service) => service.methods.map(({ input }) => input))
const each = inputs.map((input) => [input.name, input] as const)
/** A million messages in full, of all requests and both encodings. */
const RUNS = Math.ceil(scaled(1_000_000, 20_000) / (2 * inputs.length))
const utf8 = new TextDecoder('utf-8', { fatal: true })
/** What somebody else handed over: any text. */
const PRESENTED = new Set<string>([
  'token',
  'tokens',
  'code',
  'refreshToken',
  'subjectToken',
  'actorToken',
  'assertion',
  'deviceCode',
])

/** What a decoded message holds, counted by looking at it. */
function countsOf(schema: DescMessage, message: Message, depth = 0) {
  const counts = { items: 0, values: 0, messages: 0, unknown: message.$unknown?.length ?? 0 }
  const look = (inner: DescMessage, value: Message) => {
    const own = countsOf(inner, value, depth + 1)
    counts.values += own.values
    counts.messages += 1 + own.messages
    counts.unknown += own.unknown
  }
  for (const field of schema.fields) {
    const holder: unknown = Reflect.get(message, field.oneof?.localName ?? field.localName)
    const value: unknown = field.oneof === undefined ? holder : heldBy(holder, field.localName)
    if (Array.isArray(value)) {
      counts.values += value.length
      if (depth === 0) counts.items += value.length
      if (field.message !== undefined) for (const item of value) look(field.message, item)
    } else if (field.fieldKind === 'map') counts.values += Object.keys(value ?? {}).length
    else if (field.message !== undefined && isMessage(value)) look(field.message, value)
  }
  return counts
}

function heldBy(choice: unknown, name: string): unknown {
  return typeof choice === 'object' && choice !== null && Reflect.get(choice, 'case') === name
    ? Reflect.get(choice, 'value')
    : undefined
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && '$typeName' in value
}

/** Texts with U+0000 that may be stored. */
function textsWithNul(value: unknown, name = ''): readonly string[] {
  if (typeof value === 'string') return value.includes('\0') && !PRESENTED.has(name) ? [name] : []
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return []
  if (Array.isArray(value)) return value.flatMap((item) => textsWithNul(item, name))
  const isOfMap = !('$typeName' in value || 'case' in value)
  return Object.entries(value).flatMap(([key, item]) => {
    if (key === '$unknown' && !isOfMap) return []
    return [
      ...(isOfMap && key.includes('\0') ? [name] : []),
      ...textsWithNul(item, key === 'value' && !isOfMap ? name : key),
    ]
  })
}

const pickOf = (seed: number): Pick => {
  const random = seededRandom(seed)
  return (below) => Math.floor(random() * below)
}

const seen = { passed: 0, refused: 0, undecodable: 0 }

describe('a message that a scan accepts', () => {
  it.each(each)('of %s in binary has the counts of the decoded message', (_name, input) => {
    const scan = new BinaryScan(messageLimits(input))
    const pick = pickOf(testSeed())
    for (let run = 0; run < RUNS; run += 1) {
      const bytes = binaryRequest(input, pick)
      if (scan.scan(bytes) !== null) {
        seen.refused += 1
        continue
      }
      try {
        const message = fromBinary(input, bytes)
        seen.passed += 1
        const { items, values, messages, unknown } = scan
        expect({ items, values, messages, unknown }, Buffer.from(bytes).toString('hex')).toEqual(
          countsOf(input, message),
        )
        expect(textsWithNul(message)).toEqual([])
      } catch (error) {
        // A text that is not UTF-8 is all that is left for the decoder to find.
        expect(error, Buffer.from(bytes).toString('hex')).toMatchObject({ code: 'ERR_ENCODING_INVALID_ENCODED_DATA' })
        seen.undecodable += 1
      }
    }
  })

  it.each(each)('of %s in JSON has the counts of the parsed message', (_name, input) => {
    const scan = new JsonScan(messageLimits(input))
    const pick = pickOf(testSeed())
    for (let run = 0; run < RUNS; run += 1) {
      const bytes = jsonRequest(input, pick)
      if (scan.scan(bytes) !== null) {
        seen.refused += 1
        continue
      }
      const { items, values, messages, unknown } = scan
      const message = parsed(input, bytes)
      if (message === null) seen.undecodable += 1
      else {
        seen.passed += 1
        const text = utf8.decode(bytes)
        expect({ items, values, messages, unknown }, text).toEqual(countsOf(input, message))
        expect(textsWithNul(message), text).toEqual([])
        // This one refuses members that come twice by itself.
        expect(fromJsonString(input, text), text).toEqual(message)
      }
    }
  })

  it('was of every kind in the runs above', () => {
    expect(seen.passed).toBeGreaterThan(RUNS * inputs.length * 0.2)
    expect(seen.refused).toBeGreaterThan(RUNS * inputs.length * 0.2)
    expect(seen.undecodable).toBeGreaterThan(50)
  })
})

function parsed(input: DescMessage, bytes: Uint8Array): Message | null {
  try {
    return fromJson(input, JSON.parse(utf8.decode(bytes)))
  } catch {
    return null
  }
}

describe('a scan', () => {
  const item = { scopes: Array(200).fill('s'), audiences: Array(50).fill('a'), lifetime: { seconds: 60n, nanos: 0 } }
  const client = { clientId: 'orders', method: { case: 'clientSecret' as const, value: 'x' } }
  const config = { metadata: Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`k${at}`, ''])) }

  it.each<readonly [DescMessage, Message]>([
    [BatchMintTokensRequestSchema, create(BatchMintTokensRequestSchema, { client, requests: Array(100).fill(item) })],
    [
      BatchIntrospectTokensRequestSchema,
      create(BatchIntrospectTokensRequestSchema, { client, tokens: Array(1_000).fill('') }),
    ],
    [
      UpdateClientRequestSchema,
      create(UpdateClientRequestSchema, {
        client: { grantTypes: Array(6).fill(1), config },
        updateMask: { paths: Array(1_000).fill('scopes') },
      }),
    ],
  ])('accepts messages at the limits of the schema (%s)', (schema, message) => {
    const limits = messageLimits(schema)
    expect(new BinaryScan(limits).scan(toBinary(schema, message))).toBeNull()
    expect(new JsonScan(limits).scan(Buffer.from(JSON.stringify(toJson(schema, message), null, 2)))).toBeNull()
  })

  it.each([
    ['a field that reaches beyond its message', '0a020a03616263', 'client.client_id', 'is not a valid encoding'],
    ['a field that comes twice', '0a000a00', 'client', 'is set more than once'],
    ['both members of a choice', '0a0412001a00', 'client.client_secret', null],
    ['a text that is sent as a number', '0a020801', 'client.client_id', 'is not a valid encoding'],
    ['a message that is sent as a group', '0b0c', 'client', 'is not a valid encoding'],
    ['an unknown group', '7b7c', '', 'is not a valid encoding'],
    ['the end of no group', '7c', '', 'is not a valid encoding'],
    ['a wire type that there is not', '7f', '', 'is not a valid encoding'],
    ['a field without a number', '0000', '', 'is not a valid encoding'],
    ['a tag of more than 32 bits', '8a8080808001', '', 'is not a valid encoding'],
    ['a tag that breaks off', '8a', '', 'is not a valid encoding'],
    ['a length of more than 32 bits', '0a808080808001', 'client', 'is not a valid encoding'],
    ['a number of more than ten bytes', '78ffffffffffffffffffff01', '', 'is not a valid encoding'],
    ['a text with U+0000', '1203610062', 'scopes', 'contains the character U+0000'],
  ])('refuses %s', (_what, hex, field, description) => {
    const violation = new BinaryScan(messageLimits(MintTokenRequestSchema)).scan(Buffer.from(hex, 'hex'))
    if (description === null) expect(violation?.description).toMatch(/method/)
    else expect(violation).toEqual({ field, description })
  })

  it('accepts a token with U+0000, which its flow evaluates', () => {
    const encoded = Buffer.from('1203610062', 'hex')
    expect(new BinaryScan(messageLimits(BatchIntrospectTokensRequestSchema)).scan(encoded)).toBeNull()
  })

  it.each([1, 1_000])('refuses a mask of %i paths that exceeds the limit, in either encoding', (count) => {
    const refused = { field: 'update_mask', description: 'has paths that are too long, or too many of them' }
    for (const [bytes, expected] of [
      [60_000, null],
      [1_000_000, refused],
    ] as const) {
      const paths = Array.from({ length: count }, () => 'a'.repeat(bytes / count - 3))
      const message = create(UpdateClientRequestSchema, { updateMask: { paths } })
      const limits = messageLimits(UpdateClientRequestSchema)
      const json = JSON.stringify({ updateMask: paths.join(',') })
      expect(new BinaryScan(limits).scan(toBinary(UpdateClientRequestSchema, message))).toEqual(expected)
      expect(new JsonScan(limits).scan(Buffer.from(json))).toEqual(expected)
    }
  })

  it('knows the limit of every list in the contract, except for the paths of a mask', () => {
    const unbounded = (schema: DescMessage): readonly string[] =>
      schema.fields.flatMap((field) => {
        const own = messageLimits(schema).byNumber.get(field.number)
        const inner = field.message === undefined ? [] : unbounded(field.message)
        return own !== undefined && own.max === 10_000 ? [`${schema.name}.${field.name}`, ...inner] : inner
      })
    expect([...new Set(inputs.flatMap(unbounded))]).toEqual(['FieldMask.paths'])
  })
})
