import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { Client, ClientConfig, ClientRegistration } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import { mayTakeOn } from '../../domain/owner.ts'
import { withMaskedTexts } from '../../domain/registration.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { callerHoldsPermissionsAtStake, type ScopesAtStake } from '../conditions/caller.ts'
import { clientExists, etagIsCurrent } from '../conditions/client.ts'
import { defineFlow } from '../flow.ts'
import {
  audiencesAreFree,
  holdIfProved,
  identitiesAreFree,
  proofSources,
  registrationIsSound,
} from './register-client.ts'

/** The fields to change and their new values. Absent fields stay unchanged. */
export type ClientChanges = Partial<Omit<ClientRegistration, 'clientId' | 'type' | 'config'>> & {
  readonly config?: Partial<ClientConfig>
}

interface UpdateClientRequest {
  readonly clientId: ClientId
  readonly changes: ClientChanges
  /** `null`: any version. */
  readonly etag: string | null
  /** Whether the owner may change if the client already has another one. */
  readonly adopt: boolean
}

/** Whether no field is named. The client and its version then stay unchanged. */
function changesNothing({ config, ...plain }: ClientChanges): boolean {
  return Object.keys(plain).length === 0 && Object.keys(config ?? {}).length === 0
}

/** A configuration may take over a client without an owner. It may take over one of another owner only on request. */
const ownerMayChange = condition<{
  readonly client: Client
  readonly changes: ClientChanges
  readonly adopt: boolean
}>('ownerMayChange', (_ctx, { client, changes: { owner }, adopt }) =>
  owner === undefined || mayTakeOn(client, owner, adopt) ? HOLDS : fail('resource.conflict', { because: 'owner' }),
)

/** Adds the registration after the change. The permissions before and after it are at stake. */
const changesAreApplied = condition<
  { readonly client: Client; readonly changes: ClientChanges },
  { readonly registration: ClientRegistration } & ScopesAtStake
>('changesAreApplied', (_ctx, { client, changes }) => {
  const { config, ...plain } = changes
  const registration = { ...client, ...plain, config: { ...client.config, ...config } }
  return success({ registration, scopesAtStake: [...client.scopes, ...registration.scopes] })
})

/** The guarded update must find the evaluated version. Otherwise the flow is evaluated again. */
const changeIsStored = postcondition<
  { readonly client: Client; readonly changes: ClientChanges; readonly issued: Client },
  TransactionStores
>('changeIsStored', async (ctx, { client, changes, issued }) => {
  const change = { at: issued.updatedAt, by: issued.updatedBy }
  if (!(await holdIfProved(ctx, client, issued))) return LOST_RACE
  if (!(await ctx.stores.clients.update(issued, client.version, change))) return LOST_RACE
  const fields = [...Object.keys(changes).filter((key) => key !== 'config'), ...Object.keys(changes.config ?? {})]
  const { jwksUri, federatedIdentities } = changes
  const proof = jwksUri === undefined && federatedIdentities === undefined ? {} : proofSources(issued)
  await ctx.stores.auditLog.append(
    auditEvent(ctx, 'client.updated', { clientId: client.clientId, metadata: { fields: fields.join(' '), ...proof } }),
  )
  return HOLDS
})

/** Modelled on RFC 7592 §2.2, with a field mask and an etag instead of a whole replacement. */
export const updateClient = defineFlow({
  name: 'updateClient',
  lane: 'transaction',
  preconditions: given<UpdateClientRequest>()
    .and(clientExists)
    .and(etagIsCurrent)
    .and(ownerMayChange)
    .and(changesAreApplied)
    .and(callerHoldsPermissionsAtStake)
    .and(registrationIsSound)
    .and(audiencesAreFree)
    .and(identitiesAreFree),
  run: (ctx, { client, changes, registration }): Client =>
    changesNothing(changes)
      ? client
      : {
          ...client,
          ...withMaskedTexts(registration),
          version: client.version + 1,
          updatedAt: ctx.now,
          updatedBy: actorOf(ctx),
        },
  skipWrite: (_ctx, { changes }) => changesNothing(changes),
  postconditions: [changeIsStored],
})
