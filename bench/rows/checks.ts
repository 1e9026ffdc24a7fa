import {
  BatchIntrospectTokensRequestSchema,
  IntrospectTokenRequestSchema,
  TokenService,
  VerifyTokenRequestSchema,
} from '../../src/gen/qscope/v1/token_service_pb.ts'
import type { Requests } from '../load/job.ts'
import { AUDIENCE } from '../seed/token-columns.ts'
import { clientField } from '../server/credentials.ts'
import { encode, pathOf } from './encode.ts'
import type { Row } from './row.ts'
import type { Site } from './site.ts'

const BATCH = 100
const BATCHES = 200
/** In the form of a token, but with a wrong checksum. */
const GARBAGE = `qat_${'0'.repeat(49)}`

/** RFC 7662: the resource server introspects the tokens that it receives. */
function introspection(
  expected: Row['expected'],
  tokensOf: (known: Site['dataset']['known']) => readonly string[],
): Row {
  return {
    path: pathOf(TokenService.method.introspectToken),
    expected,
    tokensPerCall: 1,
    prepare: async ({ dataset }) => {
      const client = clientField(dataset.caller)
      const message = (token: string) => encode(IntrospectTokenRequestSchema, { client, token })
      return { kind: 'cycle', messages: tokensOf(dataset.known).map(message) }
    },
  }
}

export const introspect = introspection('some bytes', ({ active }) => active)
/** The answer for an inactive token is an empty message. */
export const introspectRevoked = introspection('no bytes', ({ revoked }) => revoked)
export const introspectGarbage = introspection('no bytes', () => [GARBAGE])

export const verify: Row = {
  path: pathOf(TokenService.method.verifyToken),
  expected: 'some bytes',
  tokensPerCall: 1,
  prepare: async ({ dataset: { caller, known } }) => {
    const wanted = { client: clientField(caller), requiredScopes: ['orders.read'], audience: AUDIENCE }
    const message = (token: string) => encode(VerifyTokenRequestSchema, { ...wanted, token })
    return { kind: 'cycle', messages: known.active.map(message) }
  },
}

/** Introspects each known token once. Afterwards its pages are in memory, where the database has room for them. */
export async function readKnownTokens({ connection, dataset: { caller, known } }: Site): Promise<void> {
  const client = clientField(caller)
  const all = [...known.active, ...known.revoked]
  for (let from = 0; from < all.length; from += BATCH) {
    const tokens = all.slice(from, from + BATCH)
    await connection.call(TokenService.method.batchIntrospectTokens, { client, tokens })
  }
}

export const batchIntrospect: Row = {
  path: pathOf(TokenService.method.batchIntrospectTokens),
  expected: 'some bytes',
  tokensPerCall: BATCH,
  prepare: async ({ dataset: { caller, known } }): Promise<Requests> => {
    const client = clientField(caller)
    const messages = Array.from({ length: BATCHES }, (_, n) => {
      const at = (k: number) => known.active[(n * BATCH + k) % known.active.length] ?? ''
      const tokens = Array.from({ length: BATCH }, (__, k) => at(k))
      return encode(BatchIntrospectTokensRequestSchema, { client, tokens })
    })
    return { kind: 'cycle', messages }
  },
}
