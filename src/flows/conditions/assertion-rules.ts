import type { Client } from '../../domain/client.ts'
import type { AssertionRule } from '../../domain/trusted-issuer.ts'
import { fail, HOLDS, type Result, success } from '../../results.ts'
import { condition } from '../condition.ts'
import { defaultScopes, type TokenRequest, withoutPermissions } from './request.ts'

type ForClient = Pick<TokenRequest, 'requestedScopes'> & { readonly client: Client }
type Scopes = { readonly scopes: readonly string[] }

/** RFC 6749 §5.2, unsupported_grant_type: assertions are supported only if at least one issuer is trusted. */
export const someIssuerIsTrusted = condition<object>('someIssuerIsTrusted', async (ctx) =>
  (await ctx.services.trustedIssuers.isAny(ctx)) ? HOLDS : fail('oauth.unsupported_grant_type'),
)

/**
 * RFC 7521 §4.1: the scopes must be among those of the rule and of the client, at least one, and never permissions of
 * this server.
 */
export const scopesAreOfRule = condition<ForClient & { readonly rule: AssertionRule }, Scopes>(
  'scopesAreOfRule',
  (_ctx, { client, rule, requestedScopes }) => evaluateRule(client, rule, requestedScopes),
)

/** RFC 7523 §2.1: some rule accepts assertions for the client. The assertion itself is unknown here. */
export const someRuleNamesClient = condition<
  { readonly client: Client },
  { readonly rules: readonly [AssertionRule, ...AssertionRule[]] }
>('someRuleNamesClient', async (ctx, { client: { clientId } }) => {
  const { trustedIssuers, issuer: ownIssuer } = ctx.services
  const [first, ...others] = (await trustedIssuers.all(ctx))
    .filter(({ issuer }) => issuer !== ownIssuer)
    .flatMap(({ rules }) => rules.filter((rule) => rule.clientId === clientId))
  return first === undefined ? fail('oauth.invalid_grant') : success({ rules: [first, ...others] })
})

/** Like `scopesAreOfRule`, for the first rule of the client that allows the requested scopes. */
export const scopesAreOfSomeRule = condition<
  ForClient & { readonly rules: readonly [AssertionRule, ...AssertionRule[]] },
  Scopes
>('scopesAreOfSomeRule', (_ctx, { client, rules: [first, ...others], requestedScopes }) => {
  const evaluated = evaluateRule(client, first, requestedScopes)
  const allowed = others.map((rule) => evaluateRule(client, rule, requestedScopes)).find(({ ok }) => ok)
  return evaluated.ok ? evaluated : (allowed ?? evaluated)
})

function evaluateRule(client: Client, rule: AssertionRule, requested: readonly string[]): Result<Scopes> {
  const both = withoutPermissions(client.scopes).filter((scope) => rule.scopes.includes(scope))
  return defaultScopes(requested, both, rule.scopes)
}
