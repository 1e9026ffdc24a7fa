import type { Caller } from '../../context.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { isPermission } from '../../domain/scopes.ts'
import { type FailedResult, fail, mapResult, type Result, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { lookUpAccessToken, whyNotAccepted } from '../conditions/presented-token.ts'
import { noteRefusal } from '../conditions/token-refusal.ts'
import type { FlowContext } from '../context.ts'
import { query } from '../query.ts'
import { authenticateClient, type ClientProof } from './authenticate-client.ts'

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

/** What came with the call to prove the caller. */
export type Credentials =
  | { readonly kind: 'none' }
  /** Something was there that nobody can read. */
  | { readonly kind: 'malformed' }
  | { readonly kind: 'client'; readonly clientId: string; readonly proof: ClientProof }
  | { readonly kind: 'bearer'; readonly token: string }

interface Attempt {
  readonly rule: AccessRule
  readonly credentials: Credentials
  /** When the same credentials proved the caller before in this call; `null`: they have not yet. */
  readonly authenticatedAt: EpochMs | null
}

const callerIsAdmitted = condition<Attempt, { readonly caller: Caller }>('callerIsAdmitted', async (ctx, attempt) => {
  const { rule, credentials, authenticatedAt: provedAt } = attempt
  if (rule.anyone && (!rule.clientAuthentication || credentials.kind === 'none')) {
    return success({ caller: { kind: 'anonymous' } })
  }
  if (credentials.kind === 'client' && rule.clientAuthentication) {
    const proved = await authenticateClient(ctx, credentials.clientId, credentials.proof, provedAt)
    return mapResult(proved, (client) => ({ caller: { kind: 'client', ...client } }))
  }
  if (credentials.kind === 'bearer' && rule.permission !== null) {
    return await judgeBearer(ctx, credentials.token, rule.permission, provedAt)
  }
  return refusalOf(rule, credentials)
})

/** Anybody can make a token up that has to be looked up, so whoever did so too often is refused before. */
async function judgeBearer(
  ctx: FlowContext,
  presented: string,
  permission: string,
  provedAt: EpochMs | null,
): Promise<Result<{ readonly caller: Caller }>> {
  const { bruteForceGuard: gate } = ctx.services
  const attempt = { bearer: presented }
  if (provedAt === null) {
    const admitted = gate.admit(ctx, attempt)
    if (!admitted.ok) return admitted
  }
  const result = await admitBearer(ctx, presented, permission)
  // One that does not reach far enough is no guess.
  if (result.ok || result.code === 'oauth.insufficient_scope') gate.succeeded(ctx, attempt)
  else gate.failed(ctx, attempt)
  return result
}

/** Nothing was there to be judged, so that the caller may know why. */
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

/** RFC 6750 §3.1: the token must be good (invalid_token), then reach far enough (insufficient_scope), then be meant for us. */
async function admitBearer(
  ctx: FlowContext,
  presented: string,
  permission: string,
): Promise<Result<{ readonly caller: Caller }>> {
  const standing = await lookUpAccessToken(ctx, presented)
  const refusal = standing === null ? 'unknown' : await whyNotAccepted(ctx, standing)
  if (standing === null || refusal !== null) {
    noteRefusal(ctx, refusal ?? 'unknown', standing?.token ?? null)
    return fail('oauth.invalid_token')
  }
  const { token, client } = standing
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
  if (token.audiences.length > 0 && !token.audiences.includes(ctx.services.issuer)) {
    noteRefusal(ctx, 'wrong_audience', token)
    return fail('oauth.invalid_token', { because: 'audience' })
  }
  return success({ caller: { kind: 'bearer', clientId: token.clientId, tokenId: token.tokenId, permissions } })
}

/** Decides who is calling and whether they may: the only way into a method that is not open to anyone. */
export const authorizeCall = query({
  name: 'authorizeCall',
  preconditions: given<Attempt>().and(callerIsAdmitted),
  answer: (_ctx, { caller }): Caller => caller,
})
