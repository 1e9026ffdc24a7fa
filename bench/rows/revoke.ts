import { RevokeTokenRequestSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { clientField } from '../server/credentials.ts'
import { encode, pathOf } from './encode.ts'
import type { Row } from './row.ts'
import type { Site } from './site.ts'

/** More than any server reaches. A faster one ends the measurement early. */
const REVOCATIONS_PER_SECOND = 5_000
const BATCH = 100
const BATCHES_AT_ONCE = 8

/** RFC 7009: each call revokes an active token. */
export const revoke: Row = {
  path: pathOf(TokenService.method.revokeToken),
  expected: 'no bytes',
  tokensPerCall: 1,
  prepare: async (site, { durationMs }) => {
    const batches = Math.ceil((durationMs * REVOCATIONS_PER_SECOND) / 1_000 / BATCH)
    const client = clientField(site.minter)
    const tokens: string[] = []
    for (let done = 0; done < batches; done += BATCHES_AT_ONCE) {
      const some = Array.from({ length: Math.min(BATCHES_AT_ONCE, batches - done) }, () => mintBatch(site))
      tokens.push(...(await Promise.all(some)).flat())
    }
    return { kind: 'once', messages: tokens.map((token) => encode(RevokeTokenRequestSchema, { client, token })) }
  },
}

async function mintBatch({ connection, minter }: Site): Promise<readonly string[]> {
  const { results } = await connection.call(TokenService.method.batchMintTokens, {
    client: clientField(minter),
    requests: Array.from({ length: BATCH }, () => ({})),
  })
  return results.map(({ result }) => (result.case === 'token' ? result.value.accessToken : ''))
}
