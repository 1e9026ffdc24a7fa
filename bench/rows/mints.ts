import { MintTokenRequestSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { AUDIENCE } from '../seed/token-columns.ts'
import { type ClientCredentials, clientField } from '../server/credentials.ts'
import { encode, pathOf } from './encode.ts'
import type { Row } from './row.ts'
import type { Site } from './site.ts'

/** RFC 6749 §4.4: mints a token. The answer comes when the token and its audit event are durable. */
function minting(minterOf: (site: Site) => Promise<ClientCredentials>): Row {
  return {
    path: pathOf(TokenService.method.mintToken),
    expected: 'some bytes',
    tokensPerCall: 1,
    prepare: async (site) => {
      const client = clientField(await minterOf(site))
      return { kind: 'cycle', messages: [encode(MintTokenRequestSchema, { client, audiences: [AUDIENCE] })] }
    },
  }
}

export const mint = minting(async (site) => site.minter)
export const mintJwt = minting((site) => site.jwtMinter())
