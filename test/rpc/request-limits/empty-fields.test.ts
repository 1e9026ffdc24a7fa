import { type DescMessage, toJson } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { BatchMintTokensRequestSchema, MintTokenRequestSchema } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { JsonRequest, RequestParser } from '../../../src/rpc/request-limits/request-parser.ts'

/** What a call of OAuth makes of a text, back in JSON; or the field that it refuses. */
function read(schema: DescMessage, text: string): unknown {
  const parser = new RequestParser(schema, { emptyIsOmitted: true, early: null })
  const request = new JsonRequest(Buffer.from(text))
  const scanned = parser.scan(request)
  const decoded = scanned.ok ? parser.decode(request) : scanned
  return decoded.ok ? toJson(schema, decoded.value) : decoded.details.violations?.map(({ field }) => field)
}

describe('a member without a value in JSON', () => {
  it('counts as omitted, also in the messages of a list', () => {
    const text = '{"requests":[{"lifetime":""},{"lifetime":"5s","scopes":["a"]}]}'
    expect(read(BatchMintTokensRequestSchema, text)).toEqual({
      requests: [{}, { lifetime: '5s', scopes: ['a'] }],
    })
  })

  it('does not count as a second choice of a oneof', () => {
    for (const empty of ['clientAssertion', 'client_assertion']) {
      const text = `{"client":{"clientId":"orders","clientSecret":"s","${empty}":""}}`
      expect(read(MintTokenRequestSchema, text)).toEqual({ client: { clientId: 'orders', clientSecret: 's' } })
    }
  })

  it('does not count as a choice on its own', () => {
    const text = '{"client":{"clientId":"orders","clientSecret":"","clientAssertion":""}}'
    expect(read(MintTokenRequestSchema, text)).toEqual({ client: { clientId: 'orders' } })
  })

  it('does not allow two choices with a value', () => {
    const text = '{"client":{"clientId":"orders","clientSecret":"s","clientAssertion":"t"}}'
    expect(read(MintTokenRequestSchema, text)).toEqual([expect.any(String)])
  })

  it('is kept in a list of texts', () => {
    expect(read(MintTokenRequestSchema, '{"scopes":[""]}')).toEqual({ scopes: [''] })
  })
})
