import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { ListAuditEventsRequestSchema } from '../../../src/gen/qscope/v1/audit_service_pb.ts'
import {
  RegisterClientRequestSchema,
  RotateClientSecretRequestSchema,
} from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { BatchMintTokensRequestSchema, MintTokenRequestSchema } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { RequestValidator } from '../../../src/rpc/request-validator.ts'

const validator = new RequestValidator()

function violationsOf<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) {
  return validator.validate(schema, create(schema, init))
}

const INT32_MIN = -2_147_483_648
const DURATION = 'is not a possible duration: its seconds or nanos are out of range'
const TIME = 'is not a possible time: its seconds or nanos are out of range'
const spans = [
  ['more nanos than a second has', { seconds: 1n, nanos: 1_000_000_000 }],
  ['nanos of another sign, which make it negative', { seconds: 2n, nanos: INT32_MIN }],
  ['nanos of another sign', { seconds: 5n, nanos: -1 }],
  ['nanos that take it beyond the most', { seconds: 86_399n, nanos: 2_147_483_647 }],
  ['more seconds than ten thousand years have', { seconds: 2n ** 63n - 1n, nanos: 0 }],
] as const

describe('a duration in the binary encoding', () => {
  it.each(spans)('is refused with %s, at any place', (_name, span) => {
    expect(violationsOf(MintTokenRequestSchema, { lifetime: span })).toEqual([
      { field: 'lifetime', description: DURATION },
    ])
    expect(violationsOf(BatchMintTokensRequestSchema, { requests: [{}, { lifetime: span }] })).toEqual([
      { field: 'requests[1].lifetime', description: DURATION },
    ])
    expect(violationsOf(RegisterClientRequestSchema, { config: { accessTokenTtl: span } })).toEqual([
      { field: 'config.access_token_ttl', description: DURATION },
    ])
    expect(violationsOf(RotateClientSecretRequestSchema, { clientId: 'orders', overlap: span })).toEqual([
      { field: 'overlap', description: DURATION },
    ])
  })

  it('may have any part of a second', () => {
    expect(violationsOf(MintTokenRequestSchema, { lifetime: { seconds: 1n, nanos: 999_999_999 } })).toEqual([])
  })
})

describe('a time in the binary encoding', () => {
  it.each([
    ['a year beyond 9999', { seconds: 253_402_300_800n, nanos: 0 }],
    ['a year before 1', { seconds: -62_135_596_801n, nanos: 0 }],
    ['more seconds than a number can count', { seconds: 2n ** 63n - 1n, nanos: 0 }],
    ['negative nanos', { seconds: 1n, nanos: -1 }],
    ['more nanos than a second has', { seconds: 1n, nanos: 1_000_000_000 }],
  ])('is refused with %s', (_name, time) => {
    expect(violationsOf(ListAuditEventsRequestSchema, { startTime: time })).toEqual([
      { field: 'start_time', description: TIME },
    ])
    expect(violationsOf(ListAuditEventsRequestSchema, { endTime: time })).toEqual([
      { field: 'end_time', description: TIME },
    ])
  })

  it('may be any from year 1 to 9999', () => {
    const first = { seconds: -62_135_596_800n, nanos: 0 }
    const last = { seconds: 253_402_300_799n, nanos: 999_999_999 }
    expect(violationsOf(ListAuditEventsRequestSchema, { startTime: first, endTime: last })).toEqual([])
  })
})
