import { type DescField, getOption } from '@bufbuild/protobuf'
import { durationMs } from '@bufbuild/protobuf/wkt'
import { field as fieldRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { describe, expect, it } from 'vitest'
import { LONGEST_TOKEN_LIFE } from '../../src/domain/revocation.ts'
import { ClientConfigSchema } from '../../src/gen/qscope/v1/client_pb.ts'
import { ExplainMintRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { MintTokenRequestSchema } from '../../src/gen/qscope/v1/token_service_pb.ts'

/** The longest duration that the contract allows in a field, in milliseconds. */
function longestOf(field: DescField): number | null {
  const { type } = getOption(field, fieldRules)
  const longest = type.case === 'duration' ? type.value.lessThan : undefined
  return longest?.case === 'lte' ? durationMs(longest.value) : null
}

describe('the time for which the end of a fact is published', () => {
  it('is based on the longest lifetime that the contract allows for access tokens', () => {
    const lives = [
      ClientConfigSchema.field.accessTokenTtl,
      MintTokenRequestSchema.field.lifetime,
      ExplainMintRequestSchema.field.lifetime,
    ]
    expect(lives.map(longestOf)).toEqual(lives.map(() => LONGEST_TOKEN_LIFE))
  })
})
