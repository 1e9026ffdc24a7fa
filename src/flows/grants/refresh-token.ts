import { hashToken, readToken } from '../../crypto/token.ts'
import type { Client } from '../../domain/client.ts'
import { isGrantActive, type RefreshTokenStatus } from '../../domain/grant.ts'
import type { RawToken } from '../../domain/ids.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, type Decision, given, LOST_RACE, postcondition } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-length.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import {
  audiencesAreWithinGrant,
  type EffectiveScope,
  grantStillReaches,
  narrowedScopes,
  refuseReuse,
} from '../conditions/grant.ts'
import { identityHasOneAudience } from '../conditions/identity-token.ts'
import { signerIsReady } from '../conditions/signing-key.ts'
import { defineFlow, oneToken } from '../flow.ts'
import { type IssuedTokens, issueFamilyTokens } from './issue-tokens.ts'
import { keepAnswer, type Narrowing, repeatedAnswer } from './refresh-retry.ts'
import { lockFamily, storeFamilyTokens } from './store-tokens.ts'

interface RefreshRequest extends Narrowing {
  /** As the client presents it; any string. */
  readonly presentedToken: string
}

type Own = { readonly value: RawToken; readonly status: RefreshTokenStatus }

/** RFC 6749 §6: the refresh token exists and was issued to this client. */
const refreshTokenIsOwn = condition<RefreshRequest & { readonly client: Client }, Own>(
  'refreshTokenIsOwn',
  async (ctx, { presentedToken, client }) => {
    const read = readToken(presentedToken)
    if (read?.kind !== 'refresh') return fail('oauth.invalid_grant')
    const status = await ctx.stores.refreshTokens.findByHash(ctx, hashToken(read.token))
    if (status?.token.clientId !== client.clientId) return fail('oauth.invalid_grant')
    return success({ value: read.token, status })
  },
)

/** The grant is not revoked, has not reached its absolute expiry, and neither client nor user was disabled. */
const familyIsActive = condition<Own>('familyIsActive', (ctx, { status }) =>
  isGrantActive(status, ctx.now) ? HOLDS : fail('oauth.invalid_grant'),
)

type Replay = { readonly replayed: IssuedTokens | null }

/**
 * RFC 9700 §4.14.2: if a spent token is presented again, two parties have it, and the family is revoked. The exception
 * is a client that repeats a refresh whose answer it may have lost. It gets the same answer again.
 */
const refreshTokenIsUnspentOrReplayed = condition<RefreshRequest & Own & { readonly client: Client }, Replay>(
  'refreshTokenIsUnspentOrReplayed',
  async (ctx, facts): Promise<Decision<Replay>> => {
    const { client, status, value } = facts
    if (status.token.consumedAt === null) return success({ replayed: null })
    const replayed = await repeatedAnswer(ctx, client, status, value, facts)
    switch (replayed.kind) {
      case 'again':
        return success({ replayed: replayed.issued })
      case 'refused':
        return fail('oauth.invalid_grant')
      case 'reuse':
        return refuseReuse(status.grant, 'refresh_token.reused')
      default:
        return replayed satisfies never
    }
  },
)

/** The token was used within its idle time. */
const refreshTokenIsFresh = condition<Own & Replay>('refreshTokenIsFresh', (ctx, { status, replayed }) =>
  replayed !== null || ctx.now < status.token.expiresAt ? HOLDS : fail('oauth.invalid_grant'),
)

/**
 * RFC 6749 §6: the scopes are within the grant's, and within the client's current ones. If none are requested, all of
 * them.
 */
const scopesAreWithinGrant = condition<
  RefreshRequest & { readonly effective: EffectiveScope },
  { readonly scopes: readonly string[] }
>('scopesAreWithinGrant', (_ctx, { effective, requestedScopes }) => narrowedScopes(requestedScopes, effective))

type Rotated = RefreshRequest & Own & { readonly client: Client; readonly issued: IssuedTokens }

/**
 * There is one successor. Exactly one of any number of parallel refreshes spends the token. The others are evaluated
 * again, as repeats.
 */
const successorIsTheOnlyOne = postcondition<Rotated, TransactionStores>('successorIsTheOnlyOne', async (ctx, facts) => {
  const { client, issued, status, value } = facts
  if (issued.refresh === null) throw new Error('a client that refreshes may have refresh tokens')
  if (!(await lockFamily(ctx, client, issued, false))) return LOST_RACE
  const { tokenId, predecessorId } = status.token
  const replay = keepAnswer(ctx, client, { value, tokenId }, issued, facts)
  const rotation = { successorId: issued.refresh.token.tokenId, replay }
  if (!(await ctx.stores.refreshTokens.consume(tokenId, ctx.now, rotation))) return LOST_RACE
  // The client has presented this token, so it got the answer that contained it. That answer is no longer needed.
  if (predecessorId !== null) await ctx.stores.refreshTokens.eraseReplay(predecessorId)
  await storeFamilyTokens(ctx, client, issued, 'token.refreshed')
  return HOLDS
})

/** RFC 6749 §6 with the rotation of RFC 9700 §4.14: every use issues a successor and spends the previous token. */
export const refreshToken = defineFlow({
  name: 'refreshToken',
  lane: 'transaction',
  issues: oneToken('refresh_token'),
  preconditions: given<RefreshRequest>()
    .and(callerIsClient)
    .and(grantIsAllowed('refresh_token'))
    .and(refreshTokenIsOwn)
    .and(familyIsActive)
    .and(refreshTokenIsUnspentOrReplayed)
    .and(refreshTokenIsFresh)
    .and(grantStillReaches)
    .and(scopesAreWithinGrant)
    .and(audiencesAreWithinGrant)
    .and(identityHasOneAudience)
    .and(signerIsReady)
    .and(tokenIsNotTooLong((facts) => facts)),
  run: async (ctx, { client, signer, replayed, scopes, audiences, status: { grant, token } }) =>
    replayed ?? (await issueFamilyTokens(ctx, { client, signer, grant, scopes, audiences }, token.tokenId)),
  skipWrite: (_ctx, { replayed }) => replayed !== null,
  postconditions: [successorIsTheOnlyOne],
})
