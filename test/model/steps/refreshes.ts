import { boolean, constantFrom, record } from 'fast-check'
import { expect } from 'vitest'
import type { ErrorCode } from '../../../src/errors/registry.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import type { MClient, MRefresh } from '../entities.ts'
import { expectAnswer, remember } from '../issue.ts'
import {
  authentication,
  compare,
  firstOf,
  pick,
  pickLikely,
  proofOf,
  rarely,
  someScopes,
  step,
  when,
  which,
} from '../step.ts'
import { isWithin, type World } from '../world.ts'
import { lossesOf, reachOf } from './codes.ts'

/** The result of the rules for a presented refresh token. */
type Verdict =
  | { readonly kind: 'refused'; readonly reasons: readonly ErrorCode[] }
  /** RFC 9700 §4.14.2: it was already used. */
  | { readonly kind: 'reused' }
  /** It is replayed within its window. */
  | { readonly kind: 'again'; readonly spending: NonNullable<MRefresh['spending']> }
  | { readonly kind: 'rotated' }

function judge(world: World, token: MRefresh, client: MClient, scopes: readonly string[]): Verdict {
  const refused = (...reasons: ErrorCode[]): Verdict => ({ kind: 'refused', reasons })
  const { grant, spending } = token
  if (grant.gone || token.client !== client || !world.grantStands(grant)) return refused('oauth.invalid_grant')
  if (spending !== null) {
    const mayReplay = world.now < spending.replayUntil && !spending.successor.spent
    if (!mayReplay) return { kind: 'reused' }
    const { access, successor, requested } = spending
    if (!world.isActive(access) || world.now >= successor.expiresAt) return refused('oauth.invalid_grant')
    const reach = reachOf(grant, world).scopes
    const asked = scopes.length > 0 ? scopes : reach
    const isSame =
      (scopes.length === 0 && requested.length === 0) ||
      (isWithin(asked, access.scopes) && isWithin(access.scopes, asked))
    if (!isSame) return refused('oauth.invalid_grant')
    const losses = lossesOf(grant, world)
    if (losses.length > 0) return refused(...losses)
    if (isWithin(access.scopes, reach)) return { kind: 'again', spending }
    return refused(scopes.length > 0 ? 'oauth.invalid_scope' : 'oauth.invalid_grant')
  }
  if (world.now >= token.expiresAt) return refused('oauth.invalid_grant')
  const losses = lossesOf(grant, world)
  if (losses.length > 0) return refused(...losses)
  return isWithin(scopes, reachOf(grant, world).scopes) ? { kind: 'rotated' } : refused('oauth.invalid_scope')
}

/** RFC 6749 §6, RFC 9700 §4.14. */
export const refresh = step(
  'refresh',
  record({
    index: which,
    again: boolean(),
    by: constantFrom('owner', 'owner', 'owner', 'owner', 'owner', 'owner', 'other'),
    other: which,
    wrong: rarely,
    same: boolean(),
    scopes: someScopes,
  }),
  async (world, system, { index, again, by, other, wrong, same, scopes: wanted }) => {
    const token = pickLikely(world.refreshTokens, index, ({ spent }) => spent === again)
    const client = by === 'owner' ? token?.client : pick(world.clients, other)
    if (token === null || client === null || client === undefined) return
    const { grant, spending } = token
    const scopes = same && spending !== null ? [...spending.requested] : wanted
    const answer = await system.call(TokenService.method.refreshToken, {
      client: proofOf(client, wrong),
      refreshToken: token.value,
      scopes,
    })
    const turnedAway = firstOf(
      authentication(client, wrong),
      when(!client.profile.grants.includes('refresh_token'), 'oauth.unauthorized_client'),
    )
    if (turnedAway.length > 0) return void compare(answer, turnedAway)
    const verdict = judge(world, token, client, scopes)
    switch (verdict.kind) {
      case 'refused':
        compare(answer, verdict.reasons)
        return
      case 'reused':
        compare(answer, ['oauth.invalid_grant'])
        world.revokeFamily(grant, 'refresh_token.reused')
        return
      case 'again': {
        const { access, successor } = verdict.spending
        const repeated = compare(answer, [])
        if (repeated?.token === undefined) return
        expectAnswer(repeated.token, access, world.now)
        expect(repeated.token.refreshToken).toBe(successor.value)
        return
      }
      case 'rotated': {
        const rotated = compare(answer, [])
        const reach = reachOf(grant, world)
        const issue = { ...reach, grant, scopes: scopes.length > 0 ? scopes : reach.scopes, isNewFamily: false }
        world.record(client, 'token.refreshed')
        // Spent before its successor counts towards limits.
        token.spent = true
        const issued = await remember(world, system, issue, rotated?.token)
        if (issued.refresh === null) throw new Error('a refresh without a successor')
        token.spending = {
          successor: issued.refresh,
          access: issued.access,
          requested: scopes,
          replayUntil: world.now + client.profile.replayWindow,
        }
        return
      }
      default:
        return verdict satisfies never
    }
  },
)
