import { timestampMs } from '@bufbuild/protobuf/wkt'
import { Api } from './api.ts'
import { LONGEST_S } from './limits.ts'
import { refusalOf } from './refusal.ts'

/** Who is signed in. It is held in the tab's memory alone. */
export interface Session {
  readonly token: string
  /** The token's public handle; empty: the token may not ask for it. */
  readonly tokenId: string
  readonly clientId: string
  /** Whether it began with the client's secret, not with a token. */
  readonly withSecret: boolean
  readonly endTime: Date
  /** Stays the same for all tokens of the session. Tells its user codes from those of others, for the limit on wrong ones. */
  readonly attemptKey: string
  /** `null`: the token may not ask what it permits, so each call shows it. */
  readonly permissions: ReadonlySet<string> | null
}

/**
 * Mints a token of these permissions. The secret is kept nowhere: it is in one request, and in a second one only if the
 * server refuses the first because the client's tokens live for less than it asks.
 * @throws ConnectError as MintToken does.
 */
export async function signInAsClient(
  clientId: string,
  secret: string,
  permissions: readonly string[],
): Promise<Session> {
  const client = { clientId, method: { case: 'clientSecret' as const, value: secret } }
  const mint = (lifetime: { lifetime?: { seconds: bigint } }) =>
    new Api(null).tokens.mintToken({ client, scopes: [...permissions], ...lifetime })
  const { token } = await mint({ lifetime: { seconds: BigInt(LONGEST_S) } }).catch((error: unknown) => {
    // The tokens of this client live for less than that.
    if (refusalOf(error).violations.some(({ field }) => field === 'lifetime')) return mint({})
    throw error
  })
  return {
    token: token?.accessToken ?? '',
    tokenId: token?.tokenId ?? '',
    clientId,
    withSecret: true,
    endTime: endIn(Number(token?.expiresIn?.seconds ?? 0)),
    attemptKey: crypto.randomUUID(),
    permissions: new Set(token?.scopes),
  }
}

/**
 * Uses a token that was minted elsewhere.
 * @throws ConnectError when the server does not count it.
 */
export async function signInWithToken(token: string): Promise<Session> {
  try {
    const { claims } = await new Api(token).tokens.introspectToken({ token })
    return {
      token,
      tokenId: claims?.tokenId ?? '',
      clientId: claims?.clientId ?? '',
      withSecret: false,
      endTime: endIn(claims?.expireTime === undefined ? 0 : (timestampMs(claims.expireTime) - Date.now()) / 1_000),
      attemptKey: crypto.randomUUID(),
      permissions: new Set(claims?.scopes),
    }
  } catch (error) {
    if (refusalOf(error).missingPermissions.length === 0) throw error
    return {
      token,
      tokenId: '',
      clientId: '',
      withSecret: false,
      endTime: endIn(LONGEST_S),
      attemptKey: crypto.randomUUID(),
      permissions: null,
    }
  }
}

/**
 * Gives a session another token, from what it began with: the client's secret, for the same permissions, or a token.
 * The token that it had expires by itself.
 * @throws ConnectError as the sign-in does.
 */
export async function renew(session: Session, credential: string): Promise<Session> {
  const { withSecret, clientId, permissions, attemptKey } = session
  const renewed = withSecret
    ? await signInAsClient(clientId, credential, [...(permissions ?? [])])
    : await signInWithToken(credential.trim())
  return { ...renewed, attemptKey }
}

/** What became of the token at the end of its session, and how the audit log calls it. */
export type Revocation = 'revoked' | 'reported as leaked' | 'unanswered'

/**
 * Ends the token on the server. Resolves even when the server cannot be reached: the tab forgets the token all the same.
 * A token without `qscope:tokens.revoke` cannot end itself by its handle, so it is reported, as anyone may.
 */
export async function signOut({ token, tokenId, permissions }: Session): Promise<Revocation> {
  const mayRevoke = tokenId !== '' && permissions?.has('qscope:tokens.revoke') === true
  try {
    if (mayRevoke) {
      const target = { case: 'tokenId' as const, value: tokenId }
      await new Api(token).tokens.revokeTokens({ target, reason: 'signed out of the console' })
      return 'revoked'
    }
    await new Api(null).tokens.revokeLeakedToken({ token })
    return 'reported as leaked'
  } catch (error) {
    // Somebody else has ended it already.
    return refusalOf(error).endsSession ? 'revoked' : 'unanswered'
  }
}

/** Ends a session at once if what asked for it was left meanwhile, because nobody is going to use its token. */
export async function endIfLeft(session: Session, signal: AbortSignal): Promise<Session> {
  if (signal.aborted) await signOut(session)
  return session
}

/** By this machine's clock, which may be another than the server's. */
function endIn(seconds: number): Date {
  return new Date(Date.now() + Math.min(LONGEST_S, seconds) * 1_000)
}
