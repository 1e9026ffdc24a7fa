import { timestampDate } from '@bufbuild/protobuf/wkt'
import { authenticationOf } from '@qscope/client'
import type { QScope } from '../qscope.ts'

/** `verify <token> [audience]`: what the token says, or that it is not good, by the generated client. */
export async function verify({ tokens, client }: QScope, [token = '', audience]: readonly string[]) {
  const proof = await authenticationOf(client)
  const { claims } = await tokens.verifyToken({ client: proof, token, ...(audience !== undefined && { audience }) })
  if (claims === undefined) throw new TypeError('QScope verified a token without saying what it holds')
  const { tokenId, clientId, subject, scopes, audiences, expireTime } = claims
  return {
    good: true,
    tokenId,
    clientId,
    subject,
    scopes,
    audiences,
    ...(expireTime !== undefined && { expireTime: timestampDate(expireTime) }),
  }
}
