import { create, type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf'
import { createValidator } from '@bufbuild/protovalidate'
import { expect, it } from 'vitest'
import { ClientAuthenticationSchema } from '../../../src/gen/qscope/v1/client_authentication_pb.ts'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../../src/gen/qscope/v1/device_service_pb.ts'
import {
  IntrospectTokenRequestSchema,
  MintTokenRequestSchema,
  TokenService,
  VerifyTokenRequestSchema,
} from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { PlainRules } from '../../../src/rpc/request-limits/plain-rules.ts'

const REQUESTS = [
  ClientAuthenticationSchema,
  ...[ClientService, DeviceService, TokenService].flatMap(({ methods }) => methods.map(({ input }) => input)),
]
const LENGTHS = [0, 1, 2, 43, 64, 65, 127, 128, 129, 255, 256, 257, 513, 2_048, 16_385]
const UNITS = ['a', ' ', '\u{1f600}', 'ä', '"']
const ROUNDS = 300

function picker(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

type Pick = ReturnType<typeof picker>

function textOf(pick: Pick): string {
  return (UNITS[pick(UNITS.length)] ?? '').repeat(LENGTHS[pick(LENGTHS.length)] ?? 0)
}

function requestOf(schema: DescMessage, pick: Pick): Message {
  const init: Record<string, unknown> = {}
  const shownBy = (field: DescField) =>
    field.message !== undefined
      ? requestOf(field.message, pick)
      : field.scalar === ScalarType.STRING
        ? textOf(pick)
        : undefined
  for (const member of schema.members) {
    if (pick(2) === 0) continue
    if (member.kind === 'oneof') {
      const field = member.fields[pick(member.fields.length)]
      const value = field === undefined ? undefined : shownBy(field)
      if (value !== undefined) init[member.localName] = { case: field?.localName, value }
    } else if (member.fieldKind === 'list') {
      const value = () => shownBy(member)
      if (value() !== undefined) init[member.localName] = Array.from({ length: [0, 1, 3, 201][pick(4)] ?? 0 }, value)
    } else if (member.fieldKind !== 'map') init[member.localName] = shownBy(member)
  }
  return create(schema, init)
}

it('accepts no message with a violation according to the library', () => {
  const validator = createValidator()
  const pick = picker(20_261_201)
  let accepted = 0
  for (const schema of REQUESTS) {
    const rules = new PlainRules(schema)
    for (let round = 0; round < ROUNDS; round += 1) {
      const message = requestOf(schema, pick)
      if (!rules.accepts(message)) continue
      accepted += 1
      expect(validator.validate(schema, message).kind, schema.typeName).toBe('valid')
    }
  }
  expect(accepted).toBeGreaterThan(100)
})

it('accepts the requests of the most frequent calls without the library', () => {
  const client = create(ClientAuthenticationSchema, {
    clientId: 'orders',
    method: { case: 'clientSecret', value: 'x'.repeat(53) },
  })
  expect(new PlainRules(ClientAuthenticationSchema).accepts(client)).toBe(true)
  const asked: readonly (readonly [DescMessage, Record<string, unknown>])[] = [
    [IntrospectTokenRequestSchema, { token: 'x'.repeat(53), tokenTypeHint: 'access_token' }],
    [VerifyTokenRequestSchema, { token: 'x'.repeat(53), requiredScopes: ['orders:read'], audience: 'https://orders' }],
  ]
  for (const [schema, init] of asked) expect(new PlainRules(schema).accepts(create(schema, init))).toBe(true)
})

it('leaves messages with other rules, or with violations, to the library', () => {
  const rules = new PlainRules(ClientAuthenticationSchema)
  for (const init of [
    {},
    { clientId: 'x'.repeat(129) },
    { clientId: 'a', method: { case: 'clientSecret', value: '' } as const },
  ])
    expect(rules.accepts(create(ClientAuthenticationSchema, init))).toBe(false)
  expect(
    new PlainRules(MintTokenRequestSchema).accepts(create(MintTokenRequestSchema, { lifetime: { seconds: 1n } })),
  ).toBe(false)
})
