import { createHash } from 'node:crypto'
import { boolean, constantFrom, nat, record } from 'fast-check'
import type { ErrorCode } from '../../../src/errors/registry.ts'
import { CodeChallengeMethod, TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import type { MClient, MCode, MGrant, MUser } from '../entities.ts'
import { remember } from '../issue.ts'
import { OTHER_REDIRECT_URI, REDIRECT_URI } from '../profiles.ts'
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
import { isWithin, type World } from '../world.ts'
import { chooseUser, refusalsFor, someUser, type UserChoice, userOf } from './users.ts'

const VERIFIER = 'model-verifier-0123456789-0123456789-0123456789'
const WRONG_VERIFIER = 'wrong-verifier-0123456789-0123456789-0123456789'
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

/** A new consent: a family without tokens. */
export function grantOf(
  world: World,
  client: MClient,
  user: MUser,
  { scopes, audiences, until }: { scopes: readonly string[]; audiences: readonly string[]; until: number },
): MGrant {
  const grant: MGrant = {
    client,
    user,
    scopes,
    audiences,
    clientGeneration: client.generation,
    userGeneration: user.generation,
    expiresAt: world.endAfter(client.profile.maxLifetime),
    tokensUntil: until,
    revoked: false,
    gone: false,
  }
  world.grants.push(grant)
  world.record(client, 'authorization.granted')
  return grant
}

/** The scopes and audiences of tokens of a grant: those of the consent that the client is still allowed. */
export function reachOf({ scopes, audiences, client, user, expiresAt }: MGrant, world: World) {
  const { profile } = client
  return {
    client,
    subject: user.userId,
    scopes: scopes.filter((scope) => profile.scopes.includes(scope)),
    audiences: audiences.filter((audience) => profile.audiences.includes(audience) && !world.isClosed(audience)),
    expiresAt: world.endAfter(profile.accessTtl, expiresAt),
  }
}

/** The errors when no scope, or no audience, of the consent is left. */
export function lossesOf(grant: MGrant, world: World): ErrorCode[] {
  const reach = reachOf(grant, world)
  return [
    ...when(grant.scopes.length > 0 && reach.scopes.length === 0, 'oauth.invalid_scope'),
    ...when(grant.audiences.length > 0 && reach.audiences.length === 0, 'oauth.invalid_target'),
  ]
}

export interface Consent {
  readonly index: number
  readonly user: UserChoice
  readonly scopes: string[]
  readonly audiences: number[]
  readonly challenge: boolean
  readonly elsewhere: boolean
}

/** RFC 6749 §4.1.2. */
export async function create(world: World, system: System, consent: Consent): Promise<void> {
  const { index, user: choice, scopes, audiences: indexes, challenge, elsewhere } = consent
  const client = pickClient(world, index, 'authorization_code')
  if (client === null) return
  const { profile } = client
  const chosen = chooseUser(world, choice)
  const audiences = audiencesOf(world, indexes)
  const redirectUri = elsewhere ? OTHER_REDIRECT_URI : REDIRECT_URI
  const answer = await system.call(TokenService.method.createAuthorizationCode, {
    clientId: client.clientId,
    user: { id: chosen.reference },
    redirectUri,
    scopes,
    audiences,
    ...(challenge && { codeChallenge: CHALLENGE, codeChallengeMethod: CodeChallengeMethod.S256 }),
  })
  const mayConsent = client.admitted && profile.grants.includes('authorization_code')
  const created = compare(
    answer,
    firstOf(when(client.deleted, 'resource.not_found'), when(!mayConsent, 'oauth.unauthorized_client'), [
      ...when(elsewhere, 'oauth.invalid_request'),
      ...when(profile.requirePkce && !challenge, 'oauth.invalid_request'),
      ...when(!isWithin(scopes, profile.scopes), 'oauth.invalid_scope'),
      ...when(!isWithin(audiences, profile.audiences), 'oauth.invalid_target'),
      ...when(
        audiences.some((audience) => world.isClosed(audience)),
        'oauth.invalid_target',
      ),
      ...refusalsFor(chosen),
    ]),
  )
  if (created === null) return
  const user = await userOf(world, system, chosen)
  const expiresAt = world.endAfter(profile.codeTtl)
  const granted = { scopes: scopes.length > 0 ? scopes : profile.scopes, audiences, until: expiresAt }
  const grant = grantOf(world, client, user, granted)
  const verifier = challenge ? VERIFIER : null
  world.codes.push({ value: created.code, grant, redirectUri, verifier, expiresAt, spent: false })
}

const createCode = step(
  'createCode',
  record({
    index: which,
    user: someUser,
    scopes: someScopes,
    audiences: someAudiences,
    challenge: boolean(),
    elsewhere: rarely,
  }),
  create,
)

type Verifier = 'right' | 'wrong' | 'missing'

/** RFC 7636 §4.6: the verifier matches the challenge, or both are absent. */
function fits(verifier: Verifier, code: MCode): boolean {
  return code.verifier === null ? verifier === 'missing' : verifier === 'right'
}

export interface Redemption {
  readonly index: number
  /** Whether to choose a spent code, too. */
  readonly again: boolean
  readonly by: 'owner' | 'other'
  readonly other: number
  readonly wrong: boolean
  readonly elsewhere: boolean
  readonly verifier: Verifier | 'fitting'
}

/** RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9700. */
export async function redeem(world: World, system: System, redemption: Redemption): Promise<void> {
  const { index, again, by, other, wrong, elsewhere, verifier: chosen } = redemption
  const code = again ? pick(world.codes, index) : pickLikely(world.codes, index, ({ spent }) => !spent)
  const client = by === 'owner' ? code?.grant.client : pick(world.clients, other)
  if (code === null || client === null || client === undefined) return
  const { grant } = code
  const verifier: Verifier = chosen === 'fitting' ? (code.verifier === null ? 'missing' : 'right') : chosen
  const redirectUri = elsewhere ? OTHER_REDIRECT_URI : code.redirectUri
  const answer = await system.call(TokenService.method.exchangeAuthorizationCode, {
    client: proofOf(client, wrong),
    code: code.value,
    redirectUri,
    ...(verifier !== 'missing' && { codeVerifier: verifier === 'right' ? VERIFIER : WRONG_VERIFIER }),
  })
  const turnedAway = firstOf(
    authentication(client, wrong),
    when(!client.profile.grants.includes('authorization_code'), 'oauth.unauthorized_client'),
  )
  const isBound = client === grant.client && fits(verifier, code) && !grant.gone
  const isGood = isBound && !elsewhere && !code.spent && world.now < code.expiresAt && world.grantStands(grant)
  const exchanged = compare(answer, firstOf(turnedAway, when(!isGood, 'oauth.invalid_grant'), lossesOf(grant, world)))
  // A further use by the bound client revokes the family, even with other errors.
  if (turnedAway.length === 0 && isBound && code.spent) world.revokeFamily(grant, 'authorization_code.reused')
  if (exchanged === null) return
  code.spent = true
  world.record(client, 'token.issued')
  await remember(world, system, { ...reachOf(grant, world), grant }, exchanged.token)
}

const exchangeCode = step(
  'exchangeCode',
  record({
    index: which,
    again: boolean(),
    by: constantFrom<'owner' | 'other'>('owner', 'owner', 'owner', 'owner', 'owner', 'owner', 'other'),
    other: which,
    wrong: rarely,
    elsewhere: rarely,
    verifier: constantFrom<Verifier | 'fitting'>(
      'fitting',
      'fitting',
      'fitting',
      'fitting',
      'fitting',
      'fitting',
      'right',
      'wrong',
      'missing',
    ),
  }),
  redeem,
)

/** A user signs in, without an error of the client. */
const signIn = step(
  'signIn',
  record({ index: nat(1), user: someUser, scopes: someScopes }),
  async (world, system, { index, user, scopes }) => {
    const before = world.codes.length
    await create(world, system, { index, user, scopes, audiences: [], challenge: true, elsewhere: false })
    if (world.codes.length === before) return
    const redemption = { index: 0, other: 0, again: true, wrong: false, elsewhere: false } as const
    await redeem(world, system, { ...redemption, by: 'owner', verifier: 'fitting' })
  },
)

export const codeSteps = [
  ...Array.from({ length: 4 }, () => createCode),
  ...Array.from({ length: 6 }, () => exchangeCode),
  ...Array.from({ length: 6 }, () => signIn),
]
