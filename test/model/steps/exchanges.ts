import { constantFrom, option, record } from 'fast-check'
import { expect } from 'vitest'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import type { MAccess, MClient, MToken } from '../entities.ts'
import { remember } from '../issue.ts'
import {
  audiencesOf,
  authentication,
  compare,
  firstOf,
  pick,
  pickClient,
  pickLikely,
  proofOf,
  rarely,
  someAudiences,
  someScopes,
  step,
  when,
  which,
} from '../step.ts'
import type { System } from '../system.ts'
import { depthOf, isMeantFor, isWithin, MAX_ACTORS, MAX_EXCHANGES, type World } from '../world.ts'

const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const REFRESH_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:refresh_token'

/** RFC 8693, rules: an active access token, issued to the caller, for its audience, or without an audience. */
function isAcceptable(world: World, token: MToken, client: MClient): token is MAccess {
  return token.use === 'access' && world.isActive(token) && (token.client === client || isMeantFor(token, client))
}

/** Whether it was issued to the client, or names it as an audience. */
function mayAct(world: World, token: MToken, client: MClient): boolean {
  return isAcceptable(world, token, client) && (token.client === client || token.audiences.length > 0)
}

/** Mostly an access token, sometimes a refresh token instead. */
function tokenOf(world: World, index: number, client: MClient): MToken | null {
  if (index % 7 === 6) return pick(world.refreshTokens, index)
  return pickLikely(world.accessTokens, index, (token) => isAcceptable(world, token, client))
}

/** The requested audiences. Without any, a subject token with audiences gives those that are left, or the client's. */
function audiencesFor(world: World, asked: readonly string[], subject: MAccess, client: MClient): readonly string[] {
  if (asked.length > 0 || subject.audiences.length === 0) return asked
  return registeredFor(subject, client).filter((audience) => !world.isClosed(audience))
}

function registeredFor(subject: MAccess, { clientId, profile }: MClient): readonly string[] {
  const kept = subject.audiences.filter((audience) => profile.audiences.includes(audience))
  if (kept.length > 0) return kept
  if (profile.audiences.length > 0) return profile.audiences
  return subject.audiences.filter((each) => each === clientId || profile.resourceAudiences.includes(each))
}

/** Whether no audience of the client's or the subject token's is left for the exchange. */
function isStranded(world: World, subject: MAccess, client: MClient): boolean {
  return subject.audiences.length > 0 && audiencesFor(world, [], subject, client).length === 0
}

/** The chain of the actor token or else the client, before the chain of the subject token. */
function actorsFor(subject: MAccess, actor: MToken | null, { clientId, profile }: MClient): readonly string[] {
  if (actor?.use === 'access') return [actor.subject, ...actor.actors, ...subject.actors]
  return profile.impersonates ? subject.actors : [clientId, ...subject.actors]
}

interface Exchange {
  readonly index: number
  readonly client: number
  readonly wrong: boolean
  readonly actor: number | null
  readonly scopes: string[]
  readonly audiences: number[]
  readonly type: string
}

async function trade(world: World, system: System, asked: Exchange): Promise<void> {
  const { index, client: of, wrong, actor: actorIndex, scopes, audiences: indexes, type } = asked
  const client = pickClient(world, of, 'token_exchange')
  if (client === null) return
  const subject = tokenOf(world, index, client)
  const actor = actorIndex === null ? null : tokenOf(world, actorIndex, client)
  if (subject === null) return
  const { profile } = client
  const audiences = audiencesOf(world, indexes)
  const answer = await system.call(TokenService.method.exchangeToken, {
    client: proofOf(client, wrong),
    subjectToken: subject.value,
    subjectTokenType: type,
    ...(actor !== null && { actorToken: actor.value, actorTokenType: ACCESS_TOKEN_TYPE }),
    scopes,
    audiences,
  })
  const turnedAway = firstOf(
    authentication(client, wrong),
    when(!profile.grants.includes('token_exchange'), 'oauth.unauthorized_client'),
    when(type !== ACCESS_TOKEN_TYPE, 'oauth.invalid_request'),
    when(!isAcceptable(world, subject, client), 'oauth.invalid_request'),
    when(subject.use === 'access' && depthOf(subject) >= MAX_EXCHANGES, 'oauth.invalid_request'),
    when(actor !== null && !mayAct(world, actor, client), 'oauth.invalid_request'),
    when(subject.use === 'access' && actorsFor(subject, actor, client).length > MAX_ACTORS, 'oauth.invalid_request'),
  )
  if (turnedAway.length > 0 || subject.use === 'refresh') return void compare(answer, turnedAway)
  const reach = subject.scopes.filter((scope) => profile.scopes.includes(scope))
  const exchanged = compare(answer, [
    ...when(!isWithin(scopes, reach), 'oauth.invalid_scope'),
    ...when(scopes.length === 0 && reach.length === 0 && subject.scopes.length > 0, 'oauth.invalid_scope'),
    ...when(!isWithin(audiences, profile.audiences), 'oauth.invalid_target'),
    ...when(
      audiences.some((audience) => world.isClosed(audience)),
      'oauth.invalid_target',
    ),
    ...when(audiences.length === 0 && isStranded(world, subject, client), 'oauth.invalid_target'),
  ])
  if (exchanged === null) return
  expect(exchanged.token?.issuedTokenType).toBe(ACCESS_TOKEN_TYPE)
  world.record(client, 'token.exchanged')
  const issue = {
    client,
    grant: null,
    subject: subject.subject,
    scopes: scopes.length > 0 ? scopes : reach,
    audiences: audiencesFor(world, audiences, subject, client),
    expiresAt: world.endAfter(profile.accessTtl, Math.min(subject.expiresAt, actor?.expiresAt ?? subject.expiresAt)),
    parent: subject,
    actors: actorsFor(subject, actor, client),
  }
  await remember(world, system, issue, exchanged.token)
}

const exchange = step(
  'exchangeToken',
  record({
    index: which,
    client: which,
    wrong: rarely,
    actor: option(which, { freq: 3 }),
    scopes: someScopes,
    audiences: someAudiences,
    type: constantFrom(ACCESS_TOKEN_TYPE, ACCESS_TOKEN_TYPE, ACCESS_TOKEN_TYPE, ACCESS_TOKEN_TYPE, REFRESH_TOKEN_TYPE),
  }),
  trade,
)

/** Exchanges a token repeatedly, up to the limit of exchanges. */
const handOn = step('handOn', which, async (world, system, client) => {
  const asked = { index: 0, client, wrong: false, actor: null, scopes: [], audiences: [], type: ACCESS_TOKEN_TYPE }
  for (let times = 0; times <= MAX_EXCHANGES; times += 1) await trade(world, system, asked)
})

export const exchangeSteps = [...Array.from({ length: 6 }, () => exchange), handOn]
