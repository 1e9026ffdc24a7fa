import { actorOf } from '../../context.ts'
import { certificatesProblem } from '../../crypto/ca-certificates.ts'
import { ISSUER_KEYS, readKeySet } from '../../crypto/key-set.ts'
import { readSpiffeBundle } from '../../crypto/spiffe-bundle.ts'
import { clientId } from '../../domain/ids.ts'
import { issuerProblems } from '../../domain/issuer-registration.ts'
import type { RegistrationProblem } from '../../domain/registration.ts'
import { discoverableProblem, remoteUrlProblem } from '../../domain/remote-url.ts'
import {
  type AssertionRule,
  etagOfIssuer,
  type IssuerRegistration,
  type RegisteredIssuer,
} from '../../domain/trusted-issuer.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import type { ClientReads } from '../../stores/contract/clients.ts'
import { condition, LOST_RACE, postcondition } from '../condition.ts'
import { holdsPermissions, type ScopesAtStake } from '../conditions/caller.ts'
import type { LaneContext } from '../context.ts'

type Named = { readonly issuer: string }

/** The state of an issuer before and after a change. `null`: the issuer does not exist. */
export interface IssuerChange {
  readonly before: RegisteredIssuer | null
  readonly after: IssuerRegistration | null
}

/** The server's file takes precedence over the database. Only its operator changes its issuers. */
export const issuerIsNotOfFile = condition<Named>('issuerIsNotOfFile', (ctx, { issuer }) =>
  ctx.services.trustedIssuers.ofFile.has(issuer) ? fail('resource.conflict', { because: 'issuer_of_file' }) : HOLDS,
)

/** A call names an issuer in the database. */
export const issuerIsRegistered = condition<Named, { readonly before: RegisteredIssuer }>(
  'issuerIsRegistered',
  async (ctx, { issuer }) => {
    const before = await ctx.stores.trustedIssuers.find(ctx, issuer)
    return before === null
      ? fail('resource.not_found', { resource: { type: 'trusted_issuer', name: issuer } })
      : success({ before })
  },
)

/** AIP-154: the issuer is unchanged since it was read. An etag of `null` matches any version. */
export const issuerEtagIsCurrent = condition<{ readonly before: RegisteredIssuer; readonly etag: string | null }>(
  'issuerEtagIsCurrent',
  (_ctx, { before, etag }) =>
    etag === null || etag === etagOfIssuer(before) ? HOLDS : fail('resource.conflict', { because: 'etag' }),
)

/** The issuer's name, keys and rules are valid after the change. */
export const issuerIsSound = condition<{ readonly after: IssuerRegistration }>('issuerIsSound', (ctx, { after }) => {
  const ofExpressions = after.rules.flatMap((rule, index) =>
    ctx.services.ruleEvaluator
      .problemsOf(rule)
      .map(({ field, description }) => ({ field: `rules[${index}].${field}`, description })),
  )
  const problems = [...issuerProblems(after, ctx.services.issuer), ...keyProblems(after), ...ofExpressions]
  const violations = problems.map(({ field, description }) => ({ field: `trusted_issuer.${field}`, description }))
  return violations.length > 0 ? fail('oauth.invalid_request', { violations }) : HOLDS
})

/**
 * The problems of keys that can be found without fetching them. Problems of a key set are described without quoting it.
 */
function keyProblems({ kind, issuer, keys }: IssuerRegistration): readonly RegistrationProblem[] {
  if (keys.kind === 'inline') {
    const read = kind === 'spiffe' ? readSpiffeBundle(keys.jwks).keySet : readKeySet(keys.jwks, ISSUER_KEYS)
    return read.ok ? [] : read.problems.map((description) => ({ field: 'jwks', description }))
  }
  if (keys.kind === 'file') return []
  const ofUrl = keys.kind === 'url' ? remoteUrlProblem(keys.url) : discoverableProblem(issuer)
  const ofCa = keys.ca === null ? null : certificatesProblem(keys.ca)
  return [
    ...(ofUrl === null ? [] : [{ field: keys.kind === 'url' ? 'jwks_uri' : 'discovery', description: ofUrl }]),
    ...(ofCa === null ? [] : [{ field: 'ca_certificates', description: ofCa }]),
  ]
}

/**
 * A caller cannot change how a client is authenticated if that client has permissions that the caller's own token
 * lacks. The holder of the keys can act as the client.
 */
export const permissionsOfProvedAreAtStake = condition<IssuerChange, ScopesAtStake>(
  'permissionsOfProvedAreAtStake',
  async (ctx, change) => success({ scopesAtStake: await scopesOfProved(ctx, change) }),
)

/**
 * The same check again inside the transaction. Until the commit no other call changes the issuer's rules, or a client
 * that they name.
 */
export const permissionsOfProvedAreHeld = postcondition<IssuerChange, TransactionStores>(
  'permissionsOfProvedAreHeld',
  async (ctx, change) => {
    if (!(await ctx.stores.trustedIssuers.lock({ at: ctx.now, by: actorOf(ctx) }))) return LOST_RACE
    for (const id of clientsOfRules(change)) await ctx.stores.clients.lock(clientId(id))
    return holdsPermissions(ctx.caller, await scopesOfProved(ctx, change))
  },
)

/** The scopes of every client that the issuer authenticates before or after a change. */
async function scopesOfProved(
  ctx: LaneContext<{ readonly clients: ClientReads }>,
  change: IssuerChange,
): Promise<readonly string[]> {
  const ids = clientsOfRules(change)
  const clients = await Promise.all(ids.map((id) => ctx.stores.clients.find(ctx, clientId(id))))
  const { issuer } = change.after ?? change.before ?? {}
  const proved = issuer === undefined ? [] : await ctx.stores.clients.scopesProvedBy(ctx, issuer)
  return [...proved, ...clients.flatMap((client) => client?.scopes ?? [])]
}

/** In ascending order, the order in which their rows are locked. */
function clientsOfRules({ before, after }: IssuerChange): readonly string[] {
  const rules: readonly AssertionRule[] = [...(before?.rules ?? []), ...(after?.rules ?? [])]
  return [...new Set(rules.map((rule) => rule.clientId))].sort()
}
