import { constantFrom, record } from 'fast-check'
import { expect } from 'vitest'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import type { MToken } from '../entities.ts'
import { authentication, compare, firstOf, pick, proofOf, rarely, step, when, which } from '../step.ts'
import type { System } from '../system.ts'
import { isGone, type World } from '../world.ts'

const { listTokens, revokeToken, revokeTokens } = TokenService.method

const someUse = constantFrom('access', 'refresh')

function tokenOf(world: World, use: string, index: number): MToken | null {
  return use === 'access' ? pick(world.accessTokens, index) : pick(world.refreshTokens, index)
}

/** Revokes a token, or the family of a refresh token; returns whether it was active before. */
function end(world: World, token: MToken): boolean {
  if (token.use === 'refresh') return world.revokeFamily(token.grant, 'token.revoked')
  if (token.revoked) return false
  token.revoked = true
  world.record(token.client, 'token.revoked')
  return true
}

/** RFC 7009 §2. */
const revoke = step(
  'revokeToken',
  record({ use: someUse, index: which, by: constantFrom('owner', 'owner', 'other'), other: which, wrong: rarely }),
  async (world, system, { use, index, by, other, wrong }) => {
    const token = tokenOf(world, use, index)
    const client = by === 'owner' ? token?.client : pick(world.clients, other)
    if (token === null || client === null || client === undefined) return
    const answer = await system.call(revokeToken, { client: proofOf(client, wrong), token: token.value })
    const isForeign = client !== token.client && !isGone(token)
    const refusals = firstOf(authentication(client, wrong), when(isForeign, 'oauth.invalid_grant'))
    if (compare(answer, refusals) === null || client !== token.client || isGone(token)) return
    end(world, token)
  },
)

/** Revokes by the public handle of a token. */
const revokeByHandle = step('revokeByHandle', record({ use: someUse, index: which }), async (world, system, chosen) => {
  const token = tokenOf(world, chosen.use, chosen.index)
  if (token === null) return
  const answer = await system.call(revokeTokens, { target: { case: 'tokenId', value: token.tokenId } })
  const revoked = compare(answer, when(isGone(token), 'resource.not_found'))
  if (revoked !== null) expect(revoked.revokedCount).toBe(end(world, token) ? 1 : 0)
})

/** Revokes by the family id, which is in lists of tokens. */
const revokeFamily = step('revokeFamily', which, async (world, system, index) => {
  const token = pick(
    world.accessTokens.filter(({ grant, parent, gone }) => grant !== null && parent === null && !gone),
    index,
  )
  if (token === null || token.grant === null || token.client.deleted) return
  const grantId = await grantIdOf(system, token)
  const { grant } = token
  const answer = await system.call(revokeTokens, { target: { case: 'grantId', value: grantId } })
  const revoked = compare(answer, when(grant.gone, 'resource.not_found'))
  if (revoked !== null) expect(revoked.revokedCount).toBe(world.revokeFamily(grant, 'tokens.revoked') ? 1 : 0)
})

async function grantIdOf(system: System, { client, tokenId }: MToken): Promise<string> {
  const listed = compare(await system.call(listTokens, { clientId: client.clientId, pageSize: 1_000 }), [])
  const grantId = listed?.tokens.find((token) => token.tokenId === tokenId)?.grantId
  if (grantId === undefined) throw new Error('the token is not listed, or without its grant')
  return grantId
}

const revokeClient = step('revokeClient', which, async (world, system, index) => {
  const client = pick(world.clients, index)
  if (client === null) return
  const answer = await system.call(revokeTokens, { target: { case: 'clientId', value: client.clientId } })
  if (compare(answer, when(client.deleted, 'resource.not_found')) === null) return
  client.generation += 1
  world.record(client, 'tokens.revoked')
})

const revokeUser = step('revokeUser', which, async (world, system, index) => {
  const user = pick(world.users, index)
  if (user === null) return
  const answer = await system.call(revokeTokens, { target: { case: 'userId', value: user.userId } })
  if (compare(answer, when(user.deleted, 'resource.not_found')) !== null) user.generation += 1
})

export const revocationSteps = [revoke, revokeByHandle, revokeFamily, revokeClient, revokeUser]
