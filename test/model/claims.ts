import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { expect } from 'vitest'
import { type Actor, SubjectType, type TokenClaims, TokenUse } from '../../src/gen/qscope/v1/token_pb.ts'
import type { MToken } from './entities.ts'
import { ISSUER } from './system.ts'

/** RFC 7662 §2.2: the claims of a token are equal in the system and the model. */
export function expectClaims(claims: TokenClaims | undefined, token: MToken): void {
  expect(claims, 'the model says active, the system does not').toBeDefined()
  if (claims === undefined) return
  const said = token.use === 'access' ? ofAccess(token) : ofRefresh(token)
  expect({
    tokenId: claims.tokenId,
    clientId: claims.clientId,
    subject: claims.subject,
    subjectType: claims.subjectType,
    tokenUse: claims.tokenUse,
    issuer: claims.issuer,
    scopes: new Set(claims.scopes),
    audiences: new Set(claims.audiences),
    actors: actorsOf(claims.actor),
    issuedAt: toMs(claims.issueTime),
    expiresAt: toMs(claims.expireTime),
  }).toEqual({
    tokenId: token.tokenId,
    clientId: token.client.clientId,
    issuer: ISSUER,
    issuedAt: token.issuedAt,
    expiresAt: token.expiresAt,
    ...said,
  })
}

function ofAccess({ subject, user, scopes, audiences, actors }: Extract<MToken, { use: 'access' }>) {
  return {
    subject,
    subjectType: user === null ? SubjectType.CLIENT : SubjectType.USER,
    tokenUse: TokenUse.ACCESS,
    scopes: new Set(scopes),
    audiences: new Set(audiences),
    actors,
  }
}

function ofRefresh({ grant }: Extract<MToken, { use: 'refresh' }>) {
  return {
    subject: grant.user.userId,
    subjectType: SubjectType.USER,
    tokenUse: TokenUse.REFRESH,
    scopes: new Set(grant.scopes),
    audiences: new Set(grant.audiences),
    actors: [],
  }
}

function actorsOf(actor: Actor | undefined): readonly string[] {
  return actor === undefined ? [] : [actor.subject, ...actorsOf(actor.actor)]
}

export function toMs(time: Timestamp | undefined): number {
  return Number(time?.seconds) * 1_000 + (time?.nanos ?? 0) / 1e6
}
