import { timestampDate } from '@bufbuild/protobuf/wkt'
import type { CallOptions, Channel } from '../channel.ts'
import { authenticationOf, type ClientProof } from '../client-proof.ts'
import { type Actor, SubjectType, type TokenClaims } from '../gen/qscope/v1/token_pb.ts'
import { TokenService } from '../gen/qscope/v1/token_service_pb.ts'
import { QScopeError } from '../qscope-error.ts'
import type { TokenSource } from '../tokens/access-token.ts'
import type { VerifiedToken } from './verified-token.ts'

/** Who asks: the resource server as a client, or a source of tokens with `qscope:tokens.read`. */
export type Caller = ClientProof | TokenSource

/** What is asked about a token. */
export interface TokenQuestion {
  readonly token: string
  /** Must be in the token's audience; `null`: the asker judges that itself. */
  readonly audience: string | null
  /** The thumbprint of the certificate that the bearer showed; `null`: none. */
  readonly certificate: string | null
}

/**
 * Asks QScope about an access token (`VerifyToken`). `null`: the token is not good.
 *
 * @throws QScopeError when it cannot be told.
 */
export async function askAboutToken(
  channel: Channel,
  caller: Caller,
  { token, audience, certificate }: TokenQuestion,
  timeoutMs: number,
): Promise<TokenClaims | null> {
  try {
    const { claims } = await callAs(caller, async (client, bearer) => {
      const request = {
        token,
        ...client,
        ...(audience !== null && { audience }),
        ...(certificate !== null && { presentedCertificateSha256: certificate }),
      }
      return await channel.unary(TokenService.method.verifyToken, request, { timeoutMs, ...bearer })
    })
    if (claims === undefined) throw new TypeError('QScope verified a token without saying what it holds')
    return claims
  } catch (error) {
    if (error instanceof QScopeError && isAboutPresented(error)) return null
    throw error
  }
}

/** The field `client` of a request, for a client. */
type ClientField = { readonly client?: Awaited<ReturnType<typeof authenticationOf>> }

/** Makes a call with the caller's proof, in the request or as its bearer; a bearer that is refused is not used again. */
export async function callAs<T>(
  caller: Caller,
  call: (client: ClientField, bearer: Pick<CallOptions, 'bearer'>) => Promise<T>,
): Promise<T> {
  if (!('token' in caller)) return await call({ client: await authenticationOf(caller) }, {})
  const { value } = await caller.token()
  try {
    return await call({}, { bearer: value })
  } catch (error) {
    if (error instanceof QScopeError && error.reason === 'OAUTH_INVALID_TOKEN' && !isAboutPresented(error)) {
      caller.discard(value)
    }
    throw error
  }
}

/** QScope tells a presented token from the caller's own. */
function isAboutPresented({ reason, metadata }: QScopeError): boolean {
  return reason === 'OAUTH_INVALID_TOKEN' && metadata['token'] === 'presented'
}

/** What an answer says of a token. */
export function tokenOf(claims: TokenClaims): VerifiedToken {
  const { tokenId, clientId, subject, scopes, audiences, issuer, issueTime, expireTime } = claims
  if (issueTime === undefined || expireTime === undefined) throw new TypeError('QScope answered without times')
  return Object.freeze({
    tokenId,
    clientId,
    subject,
    subjectType: claims.subjectType === SubjectType.USER ? 'user' : 'client',
    scopes: Object.freeze([...scopes]),
    audiences: Object.freeze([...audiences]),
    issuer,
    issueTime: timestampDate(issueTime),
    expireTime: timestampDate(expireTime),
    actors: Object.freeze(actorsOf(claims.actor)),
    certificate: claims.confirmation?.x5tS256 ?? null,
    extra: Object.freeze({ ...claims.extra }),
  })
}

function actorsOf(actor: Actor | undefined): string[] {
  return actor === undefined ? [] : [actor.subject, ...actorsOf(actor.actor)]
}
