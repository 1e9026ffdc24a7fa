import {
  ASSERTION_CLAIMS,
  type AssertionUse,
  type Examination,
  type GoodAssertion,
  singleUseOf,
} from '../../auth/assertion-examiner.ts'
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

/** What became of an assertion, and for whom it would stand. */
export interface TestedAssertion extends Pick<Explanation, 'verdict' | 'checks'> {
  /** Whose keys were tried; `null`: nobody's. */
  readonly issuer: string | null
  /** Of a genuine assertion; `null`: it is none. */
  readonly subject: string | null
  readonly clientId: string | null
  /** As a grant, the most that a token for it may have. */
  readonly scopes: readonly string[]
  /** As a grant, the claims that the rule makes of it; `null`: none. */
  readonly tokenClaims: Readonly<JsonObject> | null
}

/** What is judged of a genuine assertion beyond itself. */
type Outcome = Pick<TestedAssertion, 'checks' | 'clientId' | 'scopes' | 'tokenClaims'>

/** Judges an assertion as the calls that take one would; issues and writes nothing, and does not use it up. */
export const testAssertion = query({
  name: 'testAssertion',
  preconditions: given<Question>(),
  answer: async (ctx, { assertion, use }): Promise<TestedAssertion> => {
    const examined = await ctx.services.assertionExaminer.examine(ctx, assertion, use, ctx.now)
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

/** What was judged of the assertion itself, up to the first claim that failed. */
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

/** RFC 7523 §2.2: which client has the name that the issuer says. */
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

/** RFC 7523 §2.1: for which client a rule of the issuer lets it stand, and for how much of it. */
async function asGrant(ctx: FlowContext, { issuer, claims }: GoodAssertion): Promise<Outcome> {
  const { evaluated, known } = await grantedConditions.trace(ctx, { issuer, claims, requestedScopes: [] })
  return {
    checks: evaluated.map((each) => toCheck(GRANTED_TEXTS, each, known)),
    clientId: known.client?.clientId ?? null,
    scopes: known.scopes ?? [],
    tokenClaims: known.extra ?? null,
  }
}
