import { constantFrom, nat, option, record, subarray } from 'fast-check'
import { expect } from 'vitest'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import type { MClient, Profile } from '../entities.ts'
import { remember } from '../issue.ts'
import { capsOf, registrationOf } from '../profiles.ts'
import {
  audiencesOf,
  authentication,
  compare,
  firstOf,
  pick,
  pickClient,
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

const { deleteClient, disableClient, enableClient, registerClient, updateClient } = ClientService.method

/** Registers a client, and adds it to the model. */
export async function register(world: World, system: System, clientId: string, profile: Profile): Promise<void> {
  const reserved = world.clients.some((client) => client.clientId === clientId)
  const answer = await system.call(registerClient, registrationOf(clientId, profile))
  const registered = compare(answer, when(reserved, 'registration.client_identifier_conflict'))
  if (registered === null) return
  const client: MClient = {
    clientId,
    secret: registered.clientSecret,
    profile: { ...profile },
    admitted: true,
    deleted: false,
    generation: 1,
  }
  world.clients.push(client)
  world.record(client, 'client.registered')
}

/** Registers another client like an existing one, or the same id again. */
const registerAnother = step(
  'register',
  record({ like: which, again: rarely }),
  async (world, system, { like, again }) => {
    const model = pick(world.clients, like)
    if (model === null) return
    const clientId = again ? model.clientId : `${model.clientId}-${world.clients.length}`
    await register(world, system, clientId, { ...model.profile, resourceAudiences: [] })
  },
)

const disable = step('disable', which, async (world, system, index) => {
  const client = pick(world.clients, index)
  if (client === null) return
  const answer = await system.call(disableClient, { clientId: client.clientId })
  if (compare(answer, when(client.deleted, 'resource.not_found')) === null) return
  if (client.admitted) world.record(client, 'client.disabled')
  client.admitted = false
})

const enable = step('enable', which, async (world, system, index) => {
  // Prefers disabled clients.
  const out = world.clients.filter(({ admitted }) => !admitted)
  const client = pick(out.length > 0 ? out : world.clients, index)
  if (client === null) return
  const answer = await system.call(enableClient, { clientId: client.clientId })
  if (compare(answer, when(client.deleted, 'resource.not_found')) === null) return
  if (!client.admitted) world.record(client, 'client.enabled')
  client.admitted = true
})

const remove = step(
  'deleteClient',
  record({ index: nat(40), sure: rarely }),
  async (world, system, { index, sure }) => {
    const client = pick(world.clients, index)
    if (client === null || !sure) return
    const answer = await system.call(deleteClient, { clientId: client.clientId })
    if (compare(answer, when(client.deleted, 'resource.not_found')) === null) return
    client.deleted = true
    world.record(client, 'client.deleted')
  },
)

const cap = option(constantFrom(1, 2, 3), { nil: null, freq: 2 })

/** Changes scopes and caps; issued tokens do not change until the next issue. */
const update = step(
  'update',
  record({
    index: which,
    scopes: subarray(['a', 'b', 'c'], { minLength: 1 }),
    caps: record({ refreshTokens: cap, perUser: cap, accessTokens: cap }),
  }),
  async (world, system, { index, scopes, caps }) => {
    const client = pick(world.clients, index)
    if (client === null) return
    const answer = await system.call(updateClient, {
      client: { clientId: client.clientId, scopes, config: capsOf(caps) },
      updateMask: {
        paths: [
          'scopes',
          'config.max_active_refresh_tokens',
          'config.max_active_refresh_tokens_per_user',
          'config.max_active_access_tokens',
        ],
      },
    })
    if (compare(answer, when(client.deleted, 'resource.not_found')) === null) return
    client.profile.scopes = scopes
    client.profile.caps = caps
    world.record(client, 'client.updated')
  },
)

/** RFC 6749 §4.4. */
const mint = step(
  'mint',
  record({ index: which, wrong: rarely, scopes: someScopes, audiences: someAudiences, lifetime: option(nat(4_000)) }),
  async (world, system, { index, wrong, scopes, audiences: indexes, lifetime }) => {
    const client = pickClient(world, index, 'client_credentials')
    if (client === null) return
    const { profile } = client
    const audiences = audiencesOf(world, indexes)
    const seconds = lifetime === null ? null : lifetime + 1
    const answer = await system.call(TokenService.method.mintToken, {
      client: proofOf(client, wrong),
      scopes,
      audiences,
      ...(seconds !== null && { lifetime: { seconds: BigInt(seconds) } }),
    })
    const lifetimeMs = seconds === null ? profile.accessTtl : seconds * 1_000
    const minted = compare(
      answer,
      firstOf(
        authentication(client, wrong),
        when(!profile.grants.includes('client_credentials'), 'oauth.unauthorized_client'),
        [
          ...when(!isWithin(scopes, profile.scopes), 'oauth.invalid_scope'),
          ...when(!isWithin(audiences, profile.audiences), 'oauth.invalid_target'),
          ...when(
            audiences.some((audience) => world.isClosed(audience)),
            'oauth.invalid_target',
          ),
          ...when(lifetimeMs > profile.accessTtl, 'oauth.invalid_request'),
        ],
      ),
    )
    if (minted === null) return
    world.record(client, 'token.issued')
    const { clientId } = client
    const issue = {
      client,
      grant: null,
      subject: clientId,
      scopes: scopes.length > 0 ? scopes : profile.scopes,
      audiences,
      expiresAt: world.endAfter(lifetimeMs),
    }
    const { refresh } = await remember(world, system, issue, minted.token)
    expect(refresh).toBeNull()
  },
)

export const clientSteps = [registerAnother, disable, enable, enable, remove, update, mint, mint, mint]
