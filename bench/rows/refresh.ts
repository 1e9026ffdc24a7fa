import { randomUUID } from 'node:crypto'
import { RefreshTokenRequestSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { AUDIENCE } from '../seed/token-columns.ts'
import { clientField } from '../server/credentials.ts'
import { encode, pathOf } from './encode.ts'
import type { Row } from './row.ts'
import { REDIRECT_URI, type Site } from './site.ts'

/** RFC 6749 §6, RFC 9700 §4.14: each lane has its own user and presents its latest token. */
export const refresh: Row = {
  path: pathOf(TokenService.method.refreshToken),
  expected: 'some bytes',
  tokensPerCall: 1,
  prepare: async (site, { inFlight }) => {
    const client = clientField(site.web)
    const tokens = await Promise.all(Array.from({ length: inFlight }, () => signIn(site)))
    const messages = tokens.map((refreshToken) => encode(RefreshTokenRequestSchema, { client, refreshToken }))
    const [first = new Uint8Array()] = messages
    return { kind: 'rotate', messages, tokenAt: Buffer.from(first).indexOf(tokens[0] ?? '', 0, 'latin1') }
  },
}

/** A new user consents and the client redeems the code, which returns the first refresh token of a family. */
async function signIn({ connection, bearer, web }: Site): Promise<string> {
  const { code } = await connection.call(
    TokenService.method.createAuthorizationCode,
    {
      clientId: web.clientId,
      user: { id: { case: 'externalId', value: randomUUID() } },
      redirectUri: REDIRECT_URI,
      audiences: [AUDIENCE],
    },
    { bearer },
  )
  const request = { client: clientField(web), code, redirectUri: REDIRECT_URI }
  const { token } = await connection.call(TokenService.method.exchangeAuthorizationCode, request)
  return token?.refreshToken ?? ''
}
