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

/** Who may call a method, according to its `access` option. */
export interface AccessRule {
  /** The permission that a bearer token needs. `null`: bearer tokens are not accepted. */
  readonly permission: string | null
  readonly clientAuthentication: boolean
  /** Every caller is admitted. With `clientAuthentication`, credentials must still be valid if they are present. */
  readonly anyone: boolean
  /** Whether a repeated call has the same effect as a single one. */
  readonly idempotent: boolean
}

export interface AuthorizationAttempt {
  readonly rule: AccessRule
  readonly credentials: Credentials
  /** When the same credentials authenticated the caller before in this call. `null`: they have not yet. */
  readonly authenticatedAt: EpochMs | null
}

export interface CallAuthorizerOptions {
  readonly clients: ClientAuthenticator
  readonly accessTokens: AccessTokenVerifier
  readonly bruteForceGuard: BruteForceGuard
  /** The audience of management tokens. */
  readonly issuer: string
}

/** The name of the failed claim in logs when a caller is refused. */
const CLAIM = 'callerIsAdmitted'
const ANONYMOUS: Caller = Object.freeze({ kind: 'anonymous' })

/** Authenticates and authorizes callers. Every method that is not open to anyone is reached only through it. */
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

  /** The caller, or the reason for the refusal. A database failure is answered as such. */
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

  /** An invented token costs a look-up, so a caller with too many failures is refused before it. */
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
    // A valid token with insufficient scope is not a guess.
    if (result.ok || result.code === 'oauth.insufficient_scope') this.#guard.succeeded(ctx, attempt)
    else this.#guard.failed(ctx, attempt)
    return result
  }

  /**
   * RFC 6750 §3.1: the token must be valid (invalid_token), then have the scope (insufficient_scope), then have this
   * server as its audience.
   */
  async #evaluateBearer(ctx: AuthenticationContext, presented: string, permission: string): Promise<Result<Caller>> {
    const status = await this.#accessTokens.find(ctx, presented)
    const refusal = status === null ? 'unknown' : await this.#accessTokens.whyNotAccepted(ctx, status)
    if (status === null || refusal !== null) {
      noteRefusal(ctx, refusal ?? 'unknown', status?.token ?? null)
      return fail('oauth.invalid_token')
    }
    const { token, client } = status
    // RFC 8705 §3: a bound token is accepted only with the certificate it is bound to.
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

/** No verifiable credentials were presented, so the answer may give the reason. */
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
