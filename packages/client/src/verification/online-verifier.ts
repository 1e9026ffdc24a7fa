import { timestampDate } from '@bufbuild/protobuf/wkt'
import { abortable } from '../abortable.ts'
import type { Channel } from '../channel.ts'
import { authenticationOf, type ClientProof } from '../client-proof.ts'
import { type Actor, SubjectType, type TokenClaims } from '../gen/qscope/v1/token_pb.ts'
import { TokenService } from '../gen/qscope/v1/token_service_pb.ts'
import { QScopeError } from '../qscope-error.ts'
import type { TokenSource } from '../tokens/access-token.ts'
import { LONGEST_TOKEN, type PresentedToken, type TokenVerifier } from './token-verifier.ts'
import type { VerifiedToken } from './verified-token.ts'

const TIMEOUT_MS = 5_000

/** Who asks, and for whom tokens have to be. */
export interface OnlineVerifierOptions {
  /** Who asks: the resource server as a client, or a source of tokens with `qscope:tokens.read`. */
  readonly caller: ClientProof | TokenSource
  /** The audience that a token must name. `null` takes any, tokens for nobody in particular included. */
  readonly audience: string | null
  /** Of one check, milliseconds; 5 s unless given. */
  readonly timeoutMs?: number | undefined
}

/**
 * Asks QScope about each token (`VerifyToken`), opaque ones and JWTs alike.
 * Nothing is kept: a token that is revoked is refused from the next check on.
 * Equal checks of the same turn of the event loop share one call; none joins a
 * call that is sent already, whose answer may be older than a revocation.
 */
export function onlineVerifier(channel: Channel, options: OnlineVerifierOptions): TokenVerifier {
  const { caller, audience, timeoutMs = TIMEOUT_MS } = options
  let turn = new Map<string, Promise<VerifiedToken | null>>()

  async function ask({ value, certificate }: PresentedToken): Promise<VerifiedToken | null> {
    const proof =
      'token' in caller
        ? { bearer: (await caller.token()).value, client: undefined }
        : { bearer: undefined, client: await authenticationOf(caller) }
    try {
      const { claims } = await channel.unary(
        TokenService.method.verifyToken,
        {
          token: value,
          ...(proof.client !== undefined && { client: proof.client }),
          ...(audience !== null && { audience }),
          ...(certificate !== null && { presentedCertificateSha256: certificate }),
        },
        { timeoutMs, bearer: proof.bearer },
      )
      if (claims === undefined) throw new TypeError('QScope verified a token without saying what it holds')
      return tokenOf(claims)
    } catch (error) {
      if (!(error instanceof QScopeError)) throw error
      if (isAboutPresented(error)) return null
      if ('token' in caller && error.reason === 'OAUTH_INVALID_TOKEN' && proof.bearer !== undefined) {
        caller.discard(proof.bearer)
      }
      throw error
    }
  }

  return {
    async verify(presented) {
      const { value, certificate, signal } = presented
      signal?.throwIfAborted()
      if (value === '' || value.length > LONGEST_TOKEN) return null
      const key = `${certificate ?? ''} ${value}`
      if (turn.size === 0) {
        setImmediate(() => {
          turn = new Map()
        })
      }
      let check = turn.get(key)
      if (check === undefined) {
        // Sent when the turn is over, and joined until then.
        check = new Promise<void>((resolve) => setImmediate(resolve)).then(() => ask(presented))
        turn.set(key, check)
      }
      return await abortable(check, signal)
    },
  }
}

/** QScope tells a presented token from the caller's own. */
function isAboutPresented({ reason, metadata }: QScopeError): boolean {
  return reason === 'OAUTH_INVALID_TOKEN' && metadata['token'] === 'presented'
}

function tokenOf(claims: TokenClaims): VerifiedToken {
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
  })
}

function actorsOf(actor: Actor | undefined): string[] {
  return actor === undefined ? [] : [actor.subject, ...actorsOf(actor.actor)]
}
