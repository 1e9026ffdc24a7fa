import type { Caller } from '../context.ts'
import type { EpochMs } from '../domain/ids.ts'
import { isPermission } from '../domain/scopes.ts'
import { type FailedResult, fail, type Result, success } from '../results.ts'
import { refusalForStoreError } from '../store-failure.ts'
import type { AccessTokenVerifier } from './access-token-verifier.ts'
import type { AuthenticationContext, ClientAuthenticator } from './authenticate-client.ts'
import type { BruteForceGuard } from './brute-force-guard.ts'
import type { Credentials } from './credentials.ts'
import { noteRefusal } from './token-refusal.ts'

/** Who may call a method, as its `access` option says. */
export interface AccessRule {
  /** The permission that opens it to a bearer; `null`: a bearer token does not. */
  readonly permission: string | null
  readonly clientAuthentication: boolean
  /** Whoever calls is let in; with `clientAuthentication`, who shows credentials must still prove them. */
  readonly anyone: boolean
  /** Whether a repeated call leaves the server as one would. */
  readonly idempotent: boolean
}

export interface AuthorizationAttempt {
  readonly rule: AccessRule
  readonly credentials: Credentials
  /** When the same credentials proved the caller before in this call; `null`: they have not yet. */
  readonly authenticatedAt: EpochMs | null
}

export interface CallAuthorizerOptions {
  readonly clients: ClientAuthenticator
  readonly accessTokens: AccessTokenVerifier
  readonly bruteForceGuard: BruteForceGuard
  /** The audience of management tokens. */
  readonly issuer: string
}

/** The claim that does not hold where a caller is refused, as logs name it. */
const CLAIM = 'callerIsAdmitted'
const ANONYMOUS: Caller = Object.freeze({ kind: 'anonymous' })

/** Decides who is calling and whether they may: the only way into a method that is not open to anyone. */
export class CallAuthorizer {
  readonly #clients: ClientAuthenticator
  readonly #accessTokens: AccessTokenVerifier
  readonly #guard: BruteForceGuard
  readonly #issuer: string

  constructor({ clients, accessTokens, bruteForceGuard, issuer }: CallAuthorizerOptions) {
    this.#clients = clients
    this.#accessTokens = accessTokens
    this.#guard = bruteForceGuard
    this.#issuer = issuer
  }

  /** The caller, or why they are not let in. A database's failure is answered as one. */
  async authorize(ctx: AuthenticationContext, attempt: AuthorizationAttempt): Promise<Result<Caller>> {
    try {
      const admitted = await this.#admit(ctx, attempt)
      if (admitted.ok) return admitted
      ctx.log.debug({ rayId: ctx.rayId, condition: CLAIM, code: admitted.code }, 'condition does not hold')
      return { ...admitted, condition: CLAIM }
    } catch (error) {
      return refusalForStoreError(error, ctx, false)
    }
  }

  #admit(ctx: AuthenticationContext, attempt: AuthorizationAttempt): Promise<Result<Caller>> | Result<Caller> {
    const { rule, credentials, authenticatedAt } = attempt
    if (rule.anyone && (!rule.clientAuthentication || credentials.kind === 'none')) return success(ANONYMOUS)
    if (credentials.kind === 'client' && rule.clientAuthentication) {
      const { clientId, proof } = credentials
      return this.#clients.authenticate(ctx, clientId, proof, authenticatedAt)
    }
    if (credentials.kind === 'bearer' && rule.permission !== null) {
      return this.#admitBearer(ctx, credentials.token, rule.permission, authenticatedAt)
    }
    return refusalOf(rule, credentials)
  }

  /** Anybody can make a token up that has to be looked up, so whoever did so too often is refused before. */
  async #admitBearer(
    ctx: AuthenticationContext,
    presented: string,
    permission: string,
    authenticatedAt: EpochMs | null,
  ): Promise<Result<Caller>> {
    const attempt = { bearer: presented }
    if (authenticatedAt === null) {
      const admitted = this.#guard.admit(ctx, attempt)
      if (!admitted.ok) return admitted
    }
    const result = await this.#evaluateBearer(ctx, presented, permission)
    // One that does not reach far enough is no guess.
    if (result.ok || result.code === 'oauth.insufficient_scope') this.#guard.succeeded(ctx, attempt)
    else this.#guard.failed(ctx, attempt)
    return result
  }

  /** RFC 6750 §3.1: the token must be good (invalid_token), then reach far enough (insufficient_scope), then be meant for us. */
  async #evaluateBearer(ctx: AuthenticationContext, presented: string, permission: string): Promise<Result<Caller>> {
    const status = await this.#accessTokens.find(ctx, presented)
    const refusal = status === null ? 'unknown' : await this.#accessTokens.whyNotAccepted(ctx, status)
    if (status === null || refusal !== null) {
      noteRefusal(ctx, refusal ?? 'unknown', status?.token ?? null)
      return fail('oauth.invalid_token')
    }
    const { token, client } = status
    // RFC 8705 §3: a bound token is of no use without the key of its certificate.
    if (token.confirmation !== null && token.confirmation !== ctx.certificate?.thumbprint) {
      noteRefusal(ctx, 'certificate_mismatch', token)
      return fail('oauth.invalid_token', { because: 'certificate' })
    }
    // A permission counts only while the client is still registered for it.
    const permissions = new Set(token.scopes.filter((scope) => isPermission(scope) && client.scopes.includes(scope)))
    if (!permissions.has(permission)) {
      noteRefusal(ctx, 'missing_scope', token)
      return fail('oauth.insufficient_scope', { metadata: { required_scopes: permission } })
    }
    if (token.audiences.length > 0 && !token.audiences.includes(this.#issuer)) {
      noteRefusal(ctx, 'wrong_audience', token)
      return fail('oauth.invalid_token', { because: 'audience' })
    }
    return success({ kind: 'bearer', clientId: token.clientId, tokenId: token.tokenId, permissions })
  }
}

/** Nothing was shown that could be verified, so the caller may know why. */
function refusalOf({ clientAuthentication }: AccessRule, { kind }: Credentials): FailedResult {
  if (!clientAuthentication) {
    return fail('oauth.invalid_token', {
      because: kind === 'none' ? 'missing' : kind === 'client' ? 'client' : 'malformed',
    })
  }
  return fail('oauth.invalid_client', {
    because: kind === 'none' ? 'missing' : kind === 'bearer' ? 'bearer' : 'malformed',
  })
}
