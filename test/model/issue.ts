import { expect } from 'vitest'
import type { IssuedToken } from '../../src/gen/qscope/v1/token_pb.ts'
import { IntrospectTokenResponseSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { expectClaims } from './claims.ts'
import type { MAccess, MClient, MGrant, MRefresh } from './entities.ts'
import type { System } from './system.ts'
import type { World } from './world.ts'

export interface Issue {
  readonly client: MClient
  readonly grant: MGrant | null
  readonly subject: string
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly expiresAt: number
  readonly parent?: MAccess
  readonly actors?: readonly string[]
  readonly isNewFamily?: boolean
}

/** Compares a token response with the rules, and adds its tokens to the model. */
export async function remember(world: World, system: System, issue: Issue, token: IssuedToken | undefined) {
  if (token === undefined) throw new Error('an answer without a token')
  const { client, grant, parent = null } = issue
  expect(token.tokenType).toBe('Bearer')
  const user = grant?.user ?? parent?.user ?? null
  const access: MAccess = {
    use: 'access',
    value: token.accessToken,
    tokenId: token.tokenId,
    client,
    clientGeneration: client.generation,
    user,
    userGeneration: grant?.userGeneration ?? parent?.userGeneration ?? 0,
    grant: grant ?? parent?.grant ?? null,
    subject: issue.subject,
    scopes: issue.scopes,
    audiences: issue.audiences,
    actors: issue.actors ?? [],
    parent,
    issuedAt: world.now,
    expiresAt: issue.expiresAt,
    revoked: false,
    gone: false,
  }
  expectAnswer(token, access, world.now)
  world.addAccess(access)
  const refresh = await rememberRefresh(world, system, issue, token)
  await expectSeen(system, access)
  return { access, refresh }
}

/** RFC 6749 §5.1: the fields of a token response about its access token, also of a replayed one. */
export function expectAnswer(token: IssuedToken, access: MAccess, now: number): void {
  expect(token.accessToken).toBe(access.value)
  expect(token.tokenId).toBe(access.tokenId)
  expect(new Set(token.scopes)).toEqual(new Set(access.scopes))
  expect(new Set(token.audiences)).toEqual(new Set(access.audiences))
  expect(Number(token.expireTime?.seconds) * 1_000 + (token.expireTime?.nanos ?? 0) / 1e6).toBe(access.expiresAt)
  const left = Number(token.expiresIn?.seconds) * 1_000 + (token.expiresIn?.nanos ?? 0) / 1e6
  // The response may round to whole seconds.
  expect(Math.abs(left - Math.max(0, access.expiresAt - now))).toBeLessThan(1_000)
}

/** Clients that are registered for it get a refresh token with the tokens of a family. */
async function rememberRefresh(
  world: World,
  system: System,
  { client, grant, isNewFamily = true }: Issue,
  token: IssuedToken,
): Promise<MRefresh | null> {
  if (grant === null || !client.profile.grants.includes('refresh_token')) {
    expect(token.refreshToken).toBeUndefined()
    return null
  }
  const value = token.refreshToken ?? ''
  const seen = await system.call(TokenService.method.introspectToken, { token: value })
  const refresh: MRefresh = {
    use: 'refresh',
    value,
    tokenId: seen.ok ? (seen.value.claims?.tokenId ?? '') : '',
    client,
    grant,
    issuedAt: world.now,
    expiresAt: world.endAfter(client.profile.refreshTtl, grant.expiresAt),
    spent: false,
    spending: null,
  }
  world.addRefresh(refresh, isNewFamily)
  await expectSeen(system, refresh)
  return refresh
}

/** An issued token is active from the next call on. */
async function expectSeen(system: System, token: MAccess | MRefresh): Promise<void> {
  const seen = await system.call(TokenService.method.introspectToken, { token: token.value })
  if (!seen.ok) throw new Error(`introspection was refused: ${seen.code}`)
  expect(seen.value.$typeName).toBe(IntrospectTokenResponseSchema.typeName)
  expectClaims(seen.value.claims, token)
}
