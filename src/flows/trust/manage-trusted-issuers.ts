import { byBytes } from '../../byte-order.ts'
import { actorOf } from '../../context.ts'
import { uuidV7At } from '../../crypto/random.ts'
import { withoutSecrets } from '../../domain/secret-text.ts'
import type { IssuerRegistration, RegisteredIssuer, TrustedIssuer } from '../../domain/trusted-issuer.ts'
import { fail, HOLDS, type Result, success } from '../../results.ts'
import type { ReadStores, TransactionStores } from '../../stores/contract/backend.ts'
import type { TrustedIssuerFilter } from '../../stores/contract/trusted-issuers.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { callerHoldsPermissionsAtStake } from '../conditions/caller.ts'
import type { LaneContext } from '../context.ts'
import { defineFlow, query } from '../flow.ts'
import { pagedList } from '../paged-list.ts'
import {
  issuerEtagIsCurrent,
  issuerIsNotOfFile,
  issuerIsRegistered,
  issuerIsSound,
  permissionsOfProvedAreAtStake,
  permissionsOfProvedAreHeld,
} from './issuer-conditions.ts'
import { createdEvent, deletedEvent } from './issuer-events.ts'

/** An issuer in the database, or in the server's file. */
export type AnyIssuer = RegisteredIssuer | TrustedIssuer

const issuerIsKnown = condition<{ readonly issuer: string }, { readonly found: AnyIssuer }>(
  'issuerIsKnown',
  async (ctx, { issuer }) => {
    const found = ctx.services.trustedIssuers.ofFile.get(issuer) ?? (await ctx.stores.trustedIssuers.find(ctx, issuer))
    return found === null
      ? fail('resource.not_found', { resource: { type: 'trusted_issuer', name: issuer } })
      : success({ found })
  },
)

/** One issuer, from the server's file or from the database. */
export const getTrustedIssuer = query({
  name: 'getTrustedIssuer',
  preconditions: given<{ readonly issuer: string }>().and(issuerIsKnown),
  answer: (_ctx, { found }): AnyIssuer => found,
})

/**
 * Issuers in the order of their names. Those of the file, which have no owner, are merged with those of the database.
 */
export const listTrustedIssuers = pagedList({
  name: 'listTrustedIssuers',
  list: 'trusted-issuers',
  read: async (ctx, filter: TrustedIssuerFilter, { after, limit }): Promise<readonly AnyIssuer[]> => {
    const { ofFile } = ctx.services.trustedIssuers
    // Reads more rows, because issuers of the file may replace that many.
    const stored = await ctx.stores.trustedIssuers.page(ctx, filter, { after, limit: limit + ofFile.size })
    const listed = [...ofFile.values()].filter(
      ({ issuer }) => filter.owner === null && (after === null || byBytes(issuer, after) > 0),
    )
    return [...listed, ...stored.filter(({ issuer }) => !ofFile.has(issuer))]
      .sort((a, b) => byBytes(a.issuer, b.issuer))
      .slice(0, limit)
  },
  keyOf: ({ issuer }) => issuer,
})

interface CreateRequest {
  readonly registration: IssuerRegistration
}

type Creating = { readonly issuer: string; readonly before: null; readonly after: IssuerRegistration }

/** Adds the issuer after the change. Its free text must not contain secrets. */
const issuerIsDescribed = condition<CreateRequest, Creating>('issuerIsDescribed', (_ctx, { registration }) => {
  const after = { ...registration, displayName: withoutSecrets(registration.displayName) }
  return success({ issuer: registration.issuer, before: null, after })
})

const issuerIsNew = condition<Creating>('issuerIsNew', async (ctx, { issuer }) =>
  (await ctx.stores.trustedIssuers.find(ctx, issuer)) === null
    ? HOLDS
    : fail('resource.conflict', { because: 'issuer_exists' }),
)

/** A guess, since the time of the next deletion of an issuer is unknown. */
const CAP_RETRY_AFTER_MS = 60_000

interface Capped {
  readonly mostIssuers: number
}

async function evaluateCap(
  ctx: LaneContext<Pick<ReadStores, 'trustedIssuers'>>,
  { mostIssuers }: Capped,
): Promise<Result<object>> {
  if ((await ctx.stores.trustedIssuers.count(ctx)) < mostIssuers) return HOLDS
  const description = `at most ${mostIssuers} trusted issuers may be in the database`
  return fail('limit.exceeded', {
    quota: { subject: 'trusted_issuers', description },
    retryAfterMs: CAP_RETRY_AFTER_MS,
  })
}

/** A bearer of `qscope:trust.write` cannot fill the table, which some calls read as a whole. */
const issuersAreFew = condition<object, Capped>('issuersAreFew', async (ctx) => {
  const capped = { mostIssuers: ctx.services.limits.trustedIssuers }
  const evaluated = await evaluateCap(ctx, capped)
  return evaluated.ok ? success(capped) : evaluated
})

/** The same count again inside the transaction. Creates run one after the other, so the cap holds. */
const issuersAreStillFew = postcondition<Capped, TransactionStores>('issuersAreStillFew', evaluateCap)

/** The database decides which of two calls creates an issuer. */
const issuerIsStored = postcondition<{ readonly issued: RegisteredIssuer }, TransactionStores>(
  'issuerIsStored',
  async (ctx, { issued }) => {
    if (!(await ctx.stores.trustedIssuers.insert(issued))) return LOST_RACE
    await ctx.stores.auditLog.append(createdEvent(ctx, issued))
    return HOLDS
  },
)

/** Adds a trusted issuer. */
export const createTrustedIssuer = defineFlow({
  name: 'createTrustedIssuer',
  lane: 'transaction',
  preconditions: given<CreateRequest>()
    .and(issuerIsDescribed)
    .and(issuerIsSound)
    .and(permissionsOfProvedAreAtStake)
    .and(callerHoldsPermissionsAtStake)
    .and(issuerIsNotOfFile)
    .and(issuerIsNew)
    .and(issuersAreFew),
  run: (ctx, { after }): RegisteredIssuer => {
    const by = actorOf(ctx)
    const revision = uuidV7At(ctx.now)
    return Object.freeze({
      ...after,
      revision,
      createdAt: ctx.now,
      createdBy: by,
      updatedAt: ctx.now,
      updatedBy: by,
    })
  },
  postconditions: [permissionsOfProvedAreHeld, issuersAreStillFew, issuerIsStored],
})

interface DeleteRequest {
  readonly issuer: string
  /** The etag of the issuer as it was read. `null`: any version. */
  readonly etag: string | null
}

const issuerIsToGo = condition<object, { readonly after: null }>('issuerIsToGo', () => success({ after: null }))

const issuerIsDeleted = postcondition<{ readonly before: RegisteredIssuer }, TransactionStores>(
  'issuerIsDeleted',
  async (ctx, { before }) => {
    if (!(await ctx.stores.trustedIssuers.delete(before.issuer, before.revision))) return LOST_RACE
    await ctx.stores.auditLog.append(deletedEvent(ctx, before))
    return HOLDS
  },
)

/** Removes a trusted issuer. Its assertions are refused from the next call on. */
export const deleteTrustedIssuer = defineFlow({
  name: 'deleteTrustedIssuer',
  lane: 'transaction',
  preconditions: given<DeleteRequest>()
    .and(issuerIsNotOfFile)
    .and(issuerIsRegistered)
    .and(issuerEtagIsCurrent)
    .and(issuerIsToGo)
    .and(permissionsOfProvedAreAtStake)
    .and(callerHoldsPermissionsAtStake),
  run: () => null,
  postconditions: [permissionsOfProvedAreHeld, issuerIsDeleted],
})
