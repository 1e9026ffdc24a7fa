import type { JwtType } from '../../crypto/jwt.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { drawToken, hashToken } from '../../crypto/token.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import type { Client } from '../../domain/client.ts'
import { expiryAfter, expiryWithin } from '../../domain/expiry.ts'
import type { Grant, RefreshToken } from '../../domain/grant.ts'
import { type EpochMs, type Milliseconds, type RawToken, type TokenId, tokenId } from '../../domain/ids.ts'
import type { SigningKey } from '../../domain/signing-key.ts'
import type { Signing } from '../conditions/signing-key.ts'
import type { FlowContext } from '../context.ts'

/** A successful token response (RFC 6749 §5.1): the stored form, and the values, available only now. */
export interface IssuedTokens {
  readonly token: AccessToken
  readonly value: RawToken
  readonly refresh: { readonly token: RefreshToken; readonly value: RawToken } | null
  /** The expiry of the redeemed grant. `null`: no grant was redeemed. */
  readonly grantExpiresAt: EpochMs | null
}

/** The facts about a client's own token before it is generated. */
export interface TokenBasis extends Signing {
  readonly client: Client
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly lifetime: Milliseconds
  /** Claims from an assertion. Absent: none. */
  readonly extra?: AccessToken['extra']
}

type DrawnClaims = Pick<
  AccessToken,
  | 'subject'
  | 'userId'
  | 'userGeneration'
  | 'grantId'
  | 'scopes'
  | 'audiences'
  | 'actors'
  | 'ancestors'
  | 'extra'
  | 'expiresAt'
>

/** The claims of a token, and the client it is issued to. */
type ClientClaims = DrawnClaims & Pick<AccessToken, 'clientId' | 'clientGeneration' | 'confirmation'>

/**
 * Generates an access token for a client, in the client's format. The claims state its subject and its use.
 * `ancestors`: see the claims.
 */
export async function drawAccessToken(
  ctx: FlowContext,
  { client, signer }: Signing & { readonly client: Client },
  claims: DrawnClaims,
  ancestors: readonly AccessToken[] = [],
): Promise<IssuedTokens> {
  const type = client.config.accessTokenFormat === 'identity_jwt' ? 'JWT' : 'at+jwt'
  const confirmation = ctx.caller.kind === 'client' ? ctx.caller.certificate : null
  const { clientId, tokenGeneration: clientGeneration } = client
  return await drawTokenOf(ctx, signer, type, { ...claims, clientId, clientGeneration, confirmation }, ancestors)
}

/**
 * The same for a client that is not the caller. `signer`: the key that signs it; `null`: it is opaque, and has no type.
 */
export async function drawTokenOf(
  ctx: FlowContext,
  signer: SigningKey | null,
  type: Extract<JwtType, 'at+jwt' | 'JWT'>,
  claims: ClientClaims,
  ancestors: readonly AccessToken[],
): Promise<IssuedTokens> {
  const { issuer } = ctx.services
  if (signer !== null) {
    return await signToken(ctx, { signer, type, ancestors }, claims, (token) => accessTokenClaims(token, issuer))
  }
  const value = drawToken('access')
  return issued({ ...unnamedToken(ctx, null, claims), hash: hashToken(value) }, value)
}

/** The parameters for a token in JWT format. */
export interface JwtBasis {
  readonly signer: SigningKey
  readonly type: JwtType
  readonly ancestors: readonly AccessToken[]
}

/** Signs a token with its claims. The keys of everything that can revoke it (`rvk`) are added. */
export async function signToken(
  ctx: FlowContext,
  { signer, type, ancestors }: JwtBasis,
  claims: ClientClaims,
  says: (token: Omit<AccessToken, 'hash'>) => object,
): Promise<IssuedTokens> {
  const { signingKeys, revocationKeys } = ctx.services
  const token = unnamedToken(ctx, signer, claims)
  const rvk = revocationKeys.ofToken(token, ancestors).map((key) => key.toString('base64url'))
  const value = await signingKeys.sign(type, signer, { ...says(token), rvk })
  return issued({ ...token, hash: hashToken(value) }, value)
}

function unnamedToken(ctx: FlowContext, signer: SigningKey | null, claims: ClientClaims): Omit<AccessToken, 'hash'> {
  return {
    ...claims,
    tokenId: tokenId(uuidV7()),
    signingKeyId: signer === null ? null : signer.keyId,
    issuedAt: ctx.now,
    revokedAt: null,
    rayId: ctx.rayId,
  }
}

function issued(token: AccessToken, value: RawToken): IssuedTokens {
  return { token: Object.freeze(token), value, refresh: null, grantExpiresAt: null }
}

/** Issues a token of the client itself (RFC 6749 §4.4.3: no refresh token). */
export async function issueOwnToken(ctx: FlowContext, basis: TokenBasis): Promise<IssuedTokens> {
  const { client, scopes, audiences, lifetime, extra = null } = basis
  return await drawAccessToken(ctx, basis, {
    subject: client.clientId,
    userId: null,
    userGeneration: null,
    grantId: null,
    scopes,
    audiences,
    actors: [],
    ancestors: [],
    extra,
    expiresAt: expiryAfter(ctx.now, lifetime),
  })
}

/** The facts about the tokens of a grant. */
export interface FamilyBasis extends Signing {
  readonly client: Client
  readonly grant: Grant
  /** The scopes of the access token. A refresh token carries those of the grant. */
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
}

/**
 * Issues the tokens of a user's grant: an access token and, if the client may have one, a refresh token. Neither
 * outlives the grant.
 */
export async function issueFamilyTokens(
  ctx: FlowContext,
  basis: FamilyBasis,
  predecessorId: TokenId | null = null,
): Promise<IssuedTokens> {
  const { client, grant, scopes, audiences } = basis
  const { accessTokenTtl, refreshTokenTtl } = client.config
  const issued = await drawAccessToken(ctx, basis, {
    subject: grant.userId,
    userId: grant.userId,
    userGeneration: grant.userGeneration,
    grantId: grant.grantId,
    scopes,
    audiences,
    actors: [],
    ancestors: [],
    extra: null,
    expiresAt: expiryWithin(ctx.now, accessTokenTtl, grant.expiresAt),
  })
  const access = { ...issued, grantExpiresAt: grant.expiresAt }
  if (!client.grantTypes.includes('refresh_token')) return access
  const value = drawToken('refresh')
  const token: RefreshToken = Object.freeze({
    tokenId: tokenId(uuidV7()),
    hash: hashToken(value),
    grantId: grant.grantId,
    clientId: client.clientId,
    userId: grant.userId,
    predecessorId,
    issuedAt: ctx.now,
    expiresAt: expiryWithin(ctx.now, refreshTokenTtl, grant.expiresAt),
    consumedAt: null,
    successorId: null,
    replay: null,
    rayId: ctx.rayId,
  })
  return { ...access, refresh: { token, value } }
}

/** RFC 8693 §4.1: the latest actor is outermost, with earlier actors nested inside. */
export interface Act {
  readonly sub: string
  readonly act?: Act
}

/**
 * The claims of a JWT access token (RFC 9068 §2.2). Its expiry is a whole second, so that it expires for every verifier
 * at the same time as here. Its issue time is rounded down.
 */
function accessTokenClaims(token: Omit<AccessToken, 'hash'>, issuer: string): object {
  const { audiences, scopes, confirmation } = token
  const act = actOf(token.actors)
  return {
    // None of these claims has the name of a standard one.
    ...token.extra,
    iss: issuer,
    // §3: a token that was requested for no particular resource is for the service that issued it.
    aud: audiences.length > 1 ? audiences : (audiences[0] ?? issuer),
    sub: token.subject,
    client_id: token.clientId,
    iat: seconds(token.issuedAt),
    exp: seconds(token.expiresAt),
    jti: token.tokenId,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(act !== undefined && { act }),
    ...(confirmation !== null && { cnf: { 'x5t#S256': confirmation } }),
  }
}

/** `undefined`: only the subject itself acts. */
export function actOf(latestFirst: readonly string[]): Act | undefined {
  return latestFirst.reduceRight<Act | undefined>(
    (inner, sub) => (inner === undefined ? { sub } : { sub, act: inner }),
    undefined,
  )
}

/** A time in the form of JWT claims: whole seconds, rounded down. */
export function seconds(moment: EpochMs): number {
  return Math.floor(moment / 1_000)
}
