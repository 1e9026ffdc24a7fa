import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { ClientAuthenticationSchema } from '../../../src/gen/qscope/v1/client_authentication_pb.ts'
import { RegisterClientRequestSchema, UpdateClientRequestSchema } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import {
  BatchIntrospectTokensRequestSchema,
  BatchMintTokensRequestSchema,
  MintTokenRequestSchema,
} from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { JsonRequest, RequestParser } from '../../../src/rpc/request-limits/request-parser.ts'
import { credentialsField } from '../../../src/rpc/served-method.ts'

const MEGABYTE = 1024 * 1024 - 64
/** The bound is 20 ms; ten times that leaves room for a machine that does other work. */
const MOST_MS = 200

/** The pattern again and again, up to a megabyte, between a beginning and an end. */
function flood(pattern: string | readonly number[], head: string | readonly number[] = '', tail = ''): Uint8Array {
  const [first, one, last] = [Buffer.from(head), Buffer.from(pattern), Buffer.from(tail)]
  const times = Math.floor((MEGABYTE - first.length - last.length) / one.length)
  return Buffer.concat([first, Buffer.alloc(times * one.length, one), last])
}

const json = (pattern: string, head: string, tail = '') => new JsonRequest(flood(pattern, head, tail))
function encoded<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Uint8Array {
  return toBinary(schema, create(schema, init))
}

/** As many as the schema allows, and as long as a message can be. */
const tokens = Array.from({ length: 1_000 }, () => 'x'.repeat(1_000))
const item = { scopes: Array(200).fill('s'.repeat(35)), audiences: Array(50).fill('a'.repeat(40)) }
const requests = Array.from({ length: 100 }, () => item)

const floods: readonly (readonly [string, DescMessage, Uint8Array | JsonRequest])[] = [
  ['empty items', BatchMintTokensRequestSchema, flood([0x12, 0])],
  ['empty items behind an overrun', BatchMintTokensRequestSchema, flood([0x12, 0], [0x0a, 2, 0x0a, 3, 97, 98, 99])],
  ['empty texts', BatchIntrospectTokensRequestSchema, flood([0x12, 0])],
  ['unknown fields', MintTokenRequestSchema, flood([0x78, 0])],
  ['one unknown field', MintTokenRequestSchema, flood([0x61], [0x7a, 0xb0, 0xff, 0x3f])],
  ['groups', MintTokenRequestSchema, flood([0x7b])],
  ['one field', MintTokenRequestSchema, flood([0x0a, 0])],
  ['both members of a choice', MintTokenRequestSchema, flood([0x12, 0, 0x1a, 0], [0x0a, 0x80, 0x80, 0x20])],
  ['packed fields without items', RegisterClientRequestSchema, flood([0x3a, 0])],
  ['entries of a map', RegisterClientRequestSchema, flood([0x72, 0], [0x62, 0xc0, 0xff, 0x3f])],
  ['paths of a mask', UpdateClientRequestSchema, flood([0x0a, 0], [0x12, 0xb0, 0xff, 0x3f])],
  ['bytes of a number', MintTokenRequestSchema, flood([0x80], [0x78])],
  [
    'bytes of one text',
    BatchIntrospectTokensRequestSchema,
    encoded(BatchIntrospectTokensRequestSchema, { tokens: ['ä'.repeat(500_000)] }),
  ],
  [
    'as many tokens as may be',
    BatchIntrospectTokensRequestSchema,
    encoded(BatchIntrospectTokensRequestSchema, { tokens }),
  ],
  ['as many requests as may be', BatchMintTokensRequestSchema, encoded(BatchMintTokensRequestSchema, { requests })],
  [
    'as many requests as may be, in JSON',
    BatchMintTokensRequestSchema,
    new JsonRequest(Buffer.from(JSON.stringify({ requests }))),
  ],
  [
    'as many tokens as may be, in JSON',
    BatchIntrospectTokensRequestSchema,
    new JsonRequest(Buffer.from(JSON.stringify({ tokens }))),
  ],
  ['paths in JSON', UpdateClientRequestSchema, json('a,', '{"updateMask":"', '"}')],
  ['escaped commas', UpdateClientRequestSchema, json('a\\u002c', '{"updateMask":"', '"}')],
  ['nested lists', MintTokenRequestSchema, json('[', '{"scopes":')],
  ['nested lists at the top', MintTokenRequestSchema, json('[', '')],
  ['nested objects', MintTokenRequestSchema, json('{"client":', '')],
  ['items in JSON', BatchIntrospectTokensRequestSchema, json('"",', '{"tokens":[', '""]}')],
  ['members twice', MintTokenRequestSchema, json('"scopes":[],', '{', '"scopes":[]}')],
  ['unknown members', MintTokenRequestSchema, json('"a":0,', '{', '"b":0}')],
  ['the name of one member', MintTokenRequestSchema, json('a', '{"', '":0}')],
  ['digits', MintTokenRequestSchema, json('1', '{"lifetime":"', 's"}')],
  ['digits of a number', MintTokenRequestSchema, json('1', '{"scopes":[', ']}')],
  ['fractions of a second', MintTokenRequestSchema, json('1', '{"lifetime":"1.', 's"}')],
  ['escapes', BatchIntrospectTokensRequestSchema, json('\\u0061', '{"tokens":["', '"]}')],
  ['keys of a map', RegisterClientRequestSchema, json('"a":"",', '{"config":{"metadata":{', '"b":""}}}')],
  ['one key of a map', RegisterClientRequestSchema, json('a', '{"config":{"metadata":{"', '":""}}}')],
  ['white space', MintTokenRequestSchema, json(' ', '{', '}')],
]

function early(schema: DescMessage) {
  const field = credentialsField(schema)
  return field === null ? null : { field, schema: ClientAuthenticationSchema }
}

describe('the work that an unauthenticated megabyte causes', () => {
  it.each(floods)('of %s takes no longer than other calls can wait', (_what, schema, request) => {
    const parser = new RequestParser(schema, { emptyIsOmitted: true, early: early(schema) })
    const times = Array.from({ length: 3 }, () => {
      const begun = performance.now()
      parser.scan(request)
      return performance.now() - begun
    })
    expect(Math.min(...times)).toBeLessThan(MOST_MS)
  })
})
