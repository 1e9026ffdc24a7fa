import { boolean, constantFrom, record } from 'fast-check'
import { expect } from 'vitest'
import { AuditService } from '../../../src/gen/qscope/v1/audit_service_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { expectClaims } from '../claims.ts'
import type { MClient, MToken } from '../entities.ts'
import { audiencesOf, authentication, compare, firstOf, pick, proofOf, rarely, step, when, which } from '../step.ts'
import type { System } from '../system.ts'
import { isMeantFor, isWithin, type World } from '../world.ts'

const { batchIntrospectTokens, introspectToken, listTokens, verifyToken } = TokenService.method

/** Own tokens, and access tokens for the viewer or without an audience. `null`: sees all. */
function maySee(viewer: MClient | null, token: MToken): boolean {
  return viewer === null || token.client === viewer || (token.use === 'access' && isMeantFor(token, viewer))
}

function tokensOf(world: World): readonly MToken[] {
  return [...world.refreshTokens, ...world.accessTokens]
}

/** RFC 7662: public clients may not introspect. */
function refusalsFor(viewer: MClient | null, wrong: boolean) {
  return viewer === null
    ? []
    : firstOf(authentication(viewer, wrong), when(viewer.profile.isPublic, 'oauth.unauthorized_client'))
}

const introspect = step(
  'introspect',
  record({ index: which, everyone: boolean(), viewer: which, wrong: rarely }),
  async (world, system, { index, everyone, viewer: of, wrong }) => {
    const token = pick(tokensOf(world), index)
    const viewer = everyone ? null : pick(world.clients, of)
    if (token === null) return
    const client = viewer === null ? {} : { client: proofOf(viewer, wrong) }
    const answer = await system.call(introspectToken, { ...client, token: token.value })
    const seen = compare(answer, refusalsFor(viewer, wrong))
    if (seen === null) return
    const isActive = maySee(viewer, token) && world.isActive(token)
    expect(seen.active, `active: ${token.use} token ${token.tokenId}`).toBe(isActive)
    if (isActive) expectClaims(seen.claims, token)
    else expect(seen.claims).toBeUndefined()
  },
)

/** RFC 6750 §3. */
const verify = step(
  'verify',
  record({
    index: which,
    everyone: boolean(),
    viewer: which,
    wrong: rarely,
    scopes: constantFrom<string[]>([], [], ['a'], ['b', 'c'], ['d']),
    audience: constantFrom(null, null, null, 0, 1, 9),
  }),
  async (world, system, { index, everyone, viewer: of, wrong, scopes, audience: asked }) => {
    const token = pick(tokensOf(world), index)
    const viewer = everyone ? null : pick(world.clients, of)
    if (token === null) return
    const audience = asked === null ? null : (audiencesOf(world, [asked])[0] ?? null)
    const answer = await system.call(verifyToken, {
      ...(viewer !== null && { client: proofOf(viewer, wrong) }),
      token: token.value,
      requiredScopes: scopes,
      ...(audience !== null && { audience }),
    })
    const turnedAway = refusalsFor(viewer, wrong)
    if (turnedAway.length > 0 || token.use === 'refresh') {
      return void compare(answer, firstOf(turnedAway, ['oauth.invalid_token']))
    }
    const isGood = maySee(viewer, token) && world.isActive(token)
    const isForAudience = audience === null || token.audiences.includes(audience)
    const verified = compare(
      answer,
      firstOf(
        when(!isGood || !isForAudience, 'oauth.invalid_token'),
        when(!isWithin(scopes, token.scopes), 'oauth.insufficient_scope'),
      ),
    )
    if (verified !== null) expectClaims(verified.claims, token)
  },
)

/** Lists active tokens by their handles; deleted clients have none. */
const list = step(
  'listTokens',
  record({ byUser: boolean(), index: which }),
  async (world, system, { byUser, index }) => {
    const user = byUser ? pick(world.users, index) : null
    const client = byUser ? null : pick(world.clients, index)
    if (user === null && client === null) return
    const answer = await system.call(listTokens, {
      ...(user !== null && { userId: user.userId }),
      ...(client !== null && { clientId: client.clientId }),
      activeOnly: true,
      pageSize: 1_000,
    })
    const listed = compare(answer, [])?.tokens.map(({ tokenId }) => tokenId) ?? []
    const userOf = (token: MToken) => (token.use === 'access' ? token.user : token.grant.user)
    const active = tokensOf(world).filter(
      (token) =>
        world.isActive(token) &&
        (client === null || token.client === client) &&
        (user === null || userOf(token) === user),
    )
    expect(listed.sort()).toEqual(active.map(({ tokenId }) => tokenId).sort())
  },
)

export const checkSteps = [introspect, introspect, verify, list]

/** After the last step: compares every token as every client sees it, and the audit log. */
export async function compareAll(world: World, system: System): Promise<void> {
  const tokens = tokensOf(world)
  const viewers = world.clients.filter((client) => client.admitted && !client.deleted && !client.profile.isPublic)
  for (const viewer of tokens.length === 0 ? [] : [null, ...viewers]) {
    const answer = await system.call(batchIntrospectTokens, {
      ...(viewer !== null && { client: proofOf(viewer) }),
      tokens: tokens.map(({ value }) => value),
    })
    const results = compare(answer, [])?.results ?? []
    const active = results.map((result) => result.active)
    expect(active).toEqual(tokens.map((token) => maySee(viewer, token) && world.isActive(token)))
    for (const [index, token] of tokens.entries()) {
      if (active[index]) expectClaims(results[index]?.claims, token)
    }
  }
  for (const client of world.clients) await compareEvents(world, system, client)
}

async function compareEvents(world: World, system: System, client: MClient): Promise<void> {
  const { listAuditEvents } = AuditService.method
  const answer = await system.call(listAuditEvents, { clientId: client.clientId, pageSize: 1_000 })
  const counts = new Map<string, number>()
  for (const { eventType } of compare(answer, [])?.events ?? []) {
    if (eventType === 'client.authentication_failed') continue
    counts.set(eventType, (counts.get(eventType) ?? 0) + 1)
  }
  expect(Object.fromEntries(counts), `events of ${client.clientId}`).toEqual(
    Object.fromEntries(world.events.get(client) ?? []),
  )
}
