import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { whyNotImported } from '../../crypto/imported-hash.ts'
import { CLIENT_KEYS, readKeySet } from '../../crypto/key-set.ts'
import { randomBytes } from '../../crypto/random.ts'
import type { AuditEvent } from '../../domain/audit-event.ts'
import type { Client, ClientRegistration, ClientSecret } from '../../domain/client.ts'
import type { RawToken } from '../../domain/ids.ts'
import {
  metadataProblems,
  type RegistrationProblem,
  redirectUriProblems,
  withMaskedTexts,
} from '../../domain/registration.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { callerHoldsPermissionsAtStake, type ScopesAtStake } from '../conditions/caller.ts'
import type { FlowContext, LaneContext } from '../context.ts'
import { defineFlow } from '../flow.ts'
import { drawClientSecret, importedSecret } from './client-secrets.ts'

type Registering = { readonly registration: ClientRegistration }

/** Hashes of the client's secrets from another server. If they are given, no secret is generated. */
type Importing = Registering & { readonly importedHashes: readonly string[] }

type RegisterClientRequest = Importing & { readonly enabled: boolean }

/** RFC 7591 §3.2.2: the registration is valid in itself. */
export const registrationIsSound = condition<Registering>('registrationIsSound', (ctx, { registration }) => {
  const metadata = [...metadataProblems(registration, ctx.services.issuer), ...keySetProblems(registration)]
  if (metadata.length > 0) return fail('registration.invalid_client_metadata', { violations: metadata })
  const redirects = redirectUriProblems(registration)
  return redirects.length > 0 ? fail('registration.invalid_redirect_uri', { violations: redirects }) : HOLDS
})

function keySetProblems({ jwks }: ClientRegistration): readonly RegistrationProblem[] {
  const read = jwks === null ? null : readKeySet(jwks, CLIENT_KEYS)
  return read === null || read.ok ? [] : read.problems.map((description) => ({ field: 'jwks', description }))
}

/** An audience has one owner. No other client may own it and see its tokens. */
export const audiencesAreFree = condition<Registering>('audiencesAreFree', async (ctx, { registration }) => {
  const { clientId, resourceAudiences } = registration
  const owners = await ctx.stores.clients.audienceOwners(ctx, resourceAudiences)
  const violations = resourceAudiences.flatMap((audience, index) => {
    const owner = owners.get(audience)
    return owner === undefined || owner === clientId
      ? []
      : [{ field: `resource_audiences[${index}]`, description: 'belongs to another client' }]
  })
  return violations.length > 0 ? fail('registration.invalid_client_metadata', { violations }) : HOLDS
})

/** An identity at an issuer belongs to one client, so that its assertions cannot authenticate two. */
export const identitiesAreFree = condition<Registering>('identitiesAreFree', async (ctx, { registration }) => {
  const { clientId, federatedIdentities } = registration
  const owners = await ctx.stores.clients.identityOwners(ctx, federatedIdentities)
  const violations = owners.flatMap((owner, index) =>
    owner === null || owner === clientId
      ? []
      : [{ field: `federated_identities[${index}]`, description: 'belongs to another client' }],
  )
  return violations.length > 0 ? fail('registration.invalid_client_metadata', { violations }) : HOLDS
})

/**
 * Changes to a client that an issuer authenticates wait for concurrent changes to trusted issuers. This applies if the
 * issuer authenticates the client before or after the change. `false`: roll back.
 */
export async function holdIfProved(
  ctx: LaneContext<TransactionStores>,
  ...versions: readonly ClientRegistration[]
): Promise<boolean> {
  if (versions.every(({ federatedIdentities }) => federatedIdentities.length === 0)) return true
  return await ctx.stores.trustedIssuers.lock({ at: ctx.now, by: actorOf(ctx) })
}

/** The imported hashes can be verified here, at an acceptable cost. */
const importedHashesAreSound = condition<Importing>(
  'importedHashesAreSound',
  (_ctx, { registration, importedHashes }) => {
    const field = (index: number) => `imported_secret_hashes[${index}]`
    const violations = importedHashes.flatMap((hash, index) => {
      const description =
        registration.authenticationMethod === 'client_secret'
          ? whyNotImported(hash)
          : 'is required with the method CLIENT_SECRET, and must be absent with others'
      return description === null ? [] : [{ field: field(index), description }]
    })
    return violations.length > 0 ? fail('registration.invalid_client_metadata', { violations }) : HOLDS
  },
)

/** A registered client and its secrets. */
export interface RegisteredClient {
  readonly client: Client
  /** Its first secret, available only now. `null`: it has none, or only imported ones. */
  readonly secret: { readonly value: RawToken; readonly stored: ClientSecret } | null
  readonly importedSecrets: readonly ClientSecret[]
}

/** The id was never assigned to a client, and is not an audience that another client owns. */
const clientIdIsFree = condition<Registering, ScopesAtStake>('clientIdIsFree', async (ctx, { registration }) => {
  const { clientId, scopes } = registration
  const [reserved, owners] = await Promise.all([
    ctx.stores.clients.isReserved(ctx, clientId),
    ctx.stores.clients.audienceOwners(ctx, [clientId]),
  ])
  return reserved || owners.has(clientId)
    ? fail('registration.client_identifier_conflict', { resource: { type: 'client', name: clientId } })
    : success({ scopesAtStake: scopes })
})

/** Generates an id for a client that was registered without one. */
export function drawClientId(): string {
  return `client-${randomBytes(10).toString('hex')}`
}

const FIRST_VERSION = 1

/** The client as it will be read back, enabled. */
export function draftClient(
  ctx: Pick<FlowContext, 'caller' | 'peer' | 'now'>,
  registration: ClientRegistration,
): Client {
  const by = actorOf(ctx)
  return Object.freeze({
    ...withMaskedTexts(registration),
    enabled: true,
    version: FIRST_VERSION,
    tokenGeneration: 1,
    createdAt: ctx.now,
    createdBy: by,
    updatedAt: ctx.now,
    updatedBy: by,
  })
}

/** In characters. The log should not contain long lists. */
const MOST_SHOWN = 1_000

/** For the audit log: the parties that authenticate a client, if these are not the client itself. */
export function proofSources({ jwksUri, federatedIdentities }: ClientRegistration): Readonly<Record<string, string>> {
  const names = federatedIdentities.map(({ issuer, subject }) => JSON.stringify([issuer, subject])).join(' ')
  return {
    ...(jwksUri !== null && { jwks_uri: jwksUri }),
    ...(names !== '' && {
      federated_identities: names.length > MOST_SHOWN ? `${names.slice(0, MOST_SHOWN)}…` : names,
    }),
  }
}

/** The audit event of a registration. */
export function registrationEvent(ctx: Parameters<typeof auditEvent>[0], client: Client): AuditEvent {
  const metadata = {
    scopes: client.scopes.join(' '),
    grant_types: client.grantTypes.join(' '),
    ...proofSources(client),
  }
  return auditEvent(ctx, 'client.registered', { clientId: client.clientId, metadata })
}

/** Stores client, secret and event in one commit. `false`: another call registered the id, or an audience, first. */
export async function storeRegisteredClient(
  stores: TransactionStores,
  { client, secret, importedSecrets }: RegisteredClient,
  event: AuditEvent,
): Promise<boolean> {
  const { clientId, createdAt: at, createdBy: by } = client
  if (!(await stores.clients.insert(client, { at, by }))) return false
  if (secret !== null) await stores.clientSecrets.insert(secret.stored)
  for (const imported of importedSecrets) await stores.clientSecrets.insert(imported)
  await stores.auditLog.append(event)
  return client.enabled || (await stores.clients.setEnabled(clientId, false, FIRST_VERSION, { at, by }))
}

/** The database decides which of two calls registers an id. */
const clientIsStored = postcondition<{ readonly issued: RegisteredClient }, TransactionStores>(
  'clientIsStored',
  async (ctx, { issued }) => {
    const { client } = issued
    if (!(await holdIfProved(ctx, client))) return LOST_RACE
    if (!(await storeRegisteredClient(ctx.stores, issued, registrationEvent(ctx, client)))) return LOST_RACE
    if (!client.enabled) {
      await ctx.stores.auditLog.append(auditEvent(ctx, 'client.disabled', { clientId: client.clientId }))
    }
    return HOLDS
  },
)

/** RFC 7591 §3, called by platform engineers instead of the clients themselves. */
export const registerClient = defineFlow({
  name: 'registerClient',
  lane: 'transaction',
  preconditions: given<RegisterClientRequest>()
    .and(registrationIsSound)
    .and(importedHashesAreSound)
    .and(clientIdIsFree)
    .and(callerHoldsPermissionsAtStake)
    .and(audiencesAreFree)
    .and(identitiesAreFree),
  run: (ctx, { registration, importedHashes, enabled }): RegisteredClient => {
    const { clientId, authenticationMethod } = registration
    const drawsSecret = authenticationMethod === 'client_secret' && importedHashes.length === 0
    const draft = draftClient(ctx, registration)
    return {
      client: enabled ? draft : { ...draft, enabled, version: draft.version + 1 },
      secret: drawsSecret ? drawClientSecret(ctx, clientId) : null,
      importedSecrets: importedHashes.map((hash) => importedSecret(ctx, clientId, hash)),
    }
  },
  postconditions: [clientIsStored],
})
