import { isDeepStrictEqual } from 'node:util'
import { actorOf } from '../../context.ts'
import { uuidV7At } from '../../crypto/random.ts'
import { mayTakeOn } from '../../domain/owner.ts'
import { withoutSecrets } from '../../domain/secret-text.ts'
import type { IssuerRegistration, KeyLocation, RegisteredIssuer } from '../../domain/trusted-issuer.ts'
import { momentOfChange } from '../../domain/user.ts'
import { fail, HOLDS, invalidRequest, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { callerHoldsPermissionsAtStake } from '../conditions/caller.ts'
import { defineFlow } from '../flow.ts'
import {
  issuerEtagIsCurrent,
  issuerIsNotOfFile,
  issuerIsRegistered,
  issuerIsSound,
  permissionsOfProvedAreAtStake,
  permissionsOfProvedAreHeld,
} from './issuer-conditions.ts'
import { updatedEvent } from './issuer-events.ts'

/** The new location of the keys, without the CA certificates for their host. */
export type KeySource =
  | { readonly kind: 'inline'; readonly jwks: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'discovery' }

/** The fields to change and their new values. Absent fields stay unchanged. */
export type IssuerChanges = Partial<
  Pick<IssuerRegistration, 'displayName' | 'audience' | 'singleUse' | 'maxLifetime' | 'rules' | 'owner'>
> & {
  readonly keySource?: KeySource
  /** In PEM. `null`: the CA certificates of the machine. */
  readonly caCertificates?: string | null
}

interface UpdateRequest {
  readonly issuer: string
  readonly changes: IssuerChanges
  /** `null`: any version. */
  readonly etag: string | null
  /** Whether the owner may change if the issuer already has another one. */
  readonly adopt: boolean
}

type Changing = { readonly before: RegisteredIssuer; readonly changes: IssuerChanges }

/** A configuration may take over an issuer without an owner. It may take over one of another owner only on request. */
const ownerMayChange = condition<Changing & { readonly adopt: boolean }>(
  'ownerMayChange',
  (_ctx, { before, changes: { owner }, adopt }) =>
    owner === undefined || mayTakeOn(before, owner, adopt) ? HOLDS : fail('resource.conflict', { because: 'owner' }),
)

/** Adds the issuer after the change. */
const changesAreApplied = condition<Changing, { readonly after: IssuerRegistration }>(
  'changesAreApplied',
  (_ctx, { before, changes: { keySource, caCertificates, displayName, ...plain } }) => {
    const keys = locationAfter(before.keys, keySource, caCertificates)
    if (keys === null) {
      return invalidRequest('trusted_issuer.ca_certificates', 'is allowed only with jwks_uri or discovery')
    }
    const named = displayName === undefined ? {} : { displayName: withoutSecrets(displayName) }
    return success({ after: { ...before, ...plain, ...named, keys } })
  },
)

/**
 * `null`: certificates are given, but the keys are not fetched. If the keys were fetched before, their certificates are
 * dropped.
 */
function locationAfter(
  before: KeyLocation,
  source: KeySource | undefined,
  given: string | null | undefined,
): KeyLocation | null {
  const after = source ?? before
  if (after.kind === 'file') return after
  if (after.kind === 'inline') return (given ?? null) === null ? { kind: 'inline', jwks: after.jwks } : null
  const kept = 'ca' in before ? before.ca : null
  const ca = given === undefined ? kept : given
  return after.kind === 'url' ? { kind: 'url', url: after.url, ca } : { kind: 'discovery', ca }
}

const FIELDS = Object.freeze([
  ['keys', 'keys'],
  ['displayName', 'display_name'],
  ['audience', 'audience'],
  ['singleUse', 'single_use'],
  ['maxLifetime', 'max_lifetime'],
  ['rules', 'rules'],
  ['owner', 'owner'],
] as const)

/** The fields whose values changed, by their names in the contract. */
function changedFields(before: RegisteredIssuer, after: IssuerRegistration): readonly string[] {
  return FIELDS.flatMap(([key, name]) => (isDeepStrictEqual(before[key], after[key]) ? [] : [name]))
}

/** The guarded update must find the evaluated revision. Otherwise the flow is evaluated again. */
const changeIsStored = postcondition<
  { readonly before: RegisteredIssuer; readonly issued: RegisteredIssuer },
  TransactionStores
>('changeIsStored', async (ctx, { before, issued }) => {
  const change = { at: issued.updatedAt, by: issued.updatedBy }
  if (!(await ctx.stores.trustedIssuers.update(issued, before.revision, change))) return LOST_RACE
  await ctx.stores.auditLog.append(updatedEvent(ctx, issued, changedFields(before, issued)))
  return HOLDS
})

/** Changes an issuer. Fields that already have the new values are not written, so the call may be repeated. */
export const updateTrustedIssuer = defineFlow({
  name: 'updateTrustedIssuer',
  lane: 'transaction',
  preconditions: given<UpdateRequest>()
    .and(issuerIsNotOfFile)
    .and(issuerIsRegistered)
    .and(issuerEtagIsCurrent)
    .and(ownerMayChange)
    .and(changesAreApplied)
    .and(permissionsOfProvedAreAtStake)
    .and(callerHoldsPermissionsAtStake)
    .and(issuerIsSound),
  run: (ctx, { before, after }): RegisteredIssuer =>
    changedFields(before, after).length === 0
      ? before
      : {
          ...before,
          ...after,
          revision: uuidV7At(ctx.now),
          updatedAt: momentOfChange(before, ctx.now),
          updatedBy: actorOf(ctx),
        },
  skipWrite: (_ctx, { before, after }) => changedFields(before, after).length === 0,
  postconditions: [permissionsOfProvedAreHeld, changeIsStored],
})
