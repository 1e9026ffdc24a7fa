import {
  ASSERTION_CLAIMS,
  type AssertionUse,
  type Examination,
  type GoodAssertion,
  singleUseOf,
} from '../../auth/assertion-examiner.ts'
import { readAssertion } from '../../crypto/assertion.ts'
import type { Client } from '../../domain/client.ts'
import { isIdentityOf } from '../../domain/federated-identity.ts'
import type { JsonObject } from '../../json-object.ts'
import { given } from '../condition.ts'
import type { FlowContext } from '../context.ts'
import { type Check, type Explanation, toCheck } from '../explanation.ts'
import { query } from '../flow.ts'
import { grantedConditions } from '../grants/exchange-assertion.ts'
import { ASSERTION_TEXTS, checkOf, GRANTED_TEXTS, identityChecks, UNUSED } from './assertion-checks.ts'

interface Question {
  readonly assertion: string
  readonly use: AssertionUse
}

/** The result for an assertion, and the client that it would be accepted for. */
export interface TestedAssertion extends Pick<Explanation, 'verdict' | 'checks'> {
  /** The issuer whose keys were tried. `null`: none. */
  readonly issuer: string | null
  /** The subject of a valid assertion. `null`: the assertion is invalid. */
  readonly subject: string | null
  readonly clientId: string | null
  /** For a grant: the maximum scopes of a token for it. */
  readonly scopes: readonly string[]
  /** For a grant: the claims that the rule adds to the token. `null`: none. */
  readonly tokenClaims: Readonly<JsonObject> | null
}

/** The results beyond the checks of the assertion itself. */
type Outcome = Pick<TestedAssertion, 'checks' | 'clientId' | 'scopes' | 'tokenClaims'>

/**
 * Evaluates an assertion like the calls that accept one. It issues and writes nothing, and does not consume the
 * assertion.
 */
export const testAssertion = query({
  name: 'testAssertion',
  preconditions: given<Question>(),
  answer: async (ctx, { assertion, use }): Promise<TestedAssertion> => {
    const examined = await ctx.services.assertionExaminer.examine(ctx, readAssertion(assertion), use, ctx.now)
    const own = ownChecks(ctx, examined, use)
    const outcome = await outcomeOf(ctx, examined, use)
    const checks = [...own, ...outcome.checks]
    return {
      ...outcome,
      verdict: checks.every(({ passed }) => passed) ? 'accepted' : 'refused',
      checks,
      issuer: examined.issuer?.terms.issuer ?? null,
      subject: examined.claims?.sub ?? null,
    }
  },
})

/** The checks of the assertion itself, up to the first that failed. */
function ownChecks(ctx: FlowContext, examined: Examination, use: AssertionUse): readonly Check[] {
  const { failed } = examined
  const reached = failed === null ? ASSERTION_CLAIMS : ASSERTION_CLAIMS.slice(0, ASSERTION_CLAIMS.indexOf(failed) + 1)
  const { issuer } = examined
  const audience = issuer === null ? '' : ctx.services.assertionExaminer.audienceOf(issuer.terms, use)
  return reached.map((name) =>
    checkOf(name, name !== failed, ASSERTION_TEXTS[name], { examined, use, audience, now: ctx.now }),
  )
}

async function outcomeOf(ctx: FlowContext, examined: Examination, use: AssertionUse): Promise<Outcome> {
  if (examined.failed !== null) return { checks: [], clientId: null, scopes: [], tokenClaims: null }
  const outcome = use === 'client_authentication' ? await asProof(ctx, examined) : await asGrant(ctx, examined)
  if (outcome.checks.some(({ passed }) => !passed)) return outcome
  const single = singleUseOf(examined)
  if (single === null) return outcome
  const isNew = !(await ctx.services.jtiReplayGuard.wasUsed(ctx, single))
  return { ...outcome, checks: [...outcome.checks, checkOf('assertion_is_unused', isNew, UNUSED, {})] }
}

/** RFC 7523 §2.2: finds the client that has the subject's name at the issuer. */
async function asProof(ctx: FlowContext, { issuer, claims }: GoodAssertion): Promise<Outcome> {
  const name = { issuer: issuer.terms.issuer, subject: claims.sub }
  const [owner = null] = await ctx.stores.clients.identityOwners(ctx, [name])
  const client: Client | null = owner === null ? null : await ctx.stores.clients.find(ctx, owner)
  const isNamed =
    client?.federatedIdentities.some((each) => isIdentityOf(each, { issuer: name.issuer, claims })) ?? false
  return {
    checks: identityChecks({ name, client, isNamed }),
    clientId: client?.clientId ?? null,
    scopes: [],
    tokenClaims: null,
  }
}

/** RFC 7523 §2.1: finds the client for which a rule of the issuer accepts the assertion, and the scopes. */
async function asGrant(ctx: FlowContext, { issuer, claims }: GoodAssertion): Promise<Outcome> {
  const { evaluated, known } = await grantedConditions.trace(ctx, { issuer, claims, requestedScopes: [] })
  return {
    checks: evaluated.map((each) => toCheck(GRANTED_TEXTS, each, known)),
    clientId: known.client?.clientId ?? null,
    scopes: known.scopes ?? [],
    tokenClaims: known.extra ?? null,
  }
}
