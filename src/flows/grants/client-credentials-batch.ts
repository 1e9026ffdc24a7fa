import type { Client } from '../../domain/client.ts'
import { HOLDS, type Result, success } from '../../results.ts'
import type { AppendStores } from '../../stores/contract/backend.ts'
import { condition, given, postcondition } from '../condition.ts'
import { type Signing, signerIsReady, tokenIsNotTooLong } from '../conditions/access-token-format.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { audiencesAreAllowed, lifetimeIsAllowed, scopesAreAllowed, type TokenRequest } from '../conditions/request.ts'
import { defineFlow } from '../flow.ts'
import { appendToken } from './append-token.ts'
import { type IssuedTokens, issueOwnToken, type TokenBasis } from './issue-tokens.ts'

interface BatchRequest {
  readonly requests: readonly TokenRequest[]
}

const basis = given<TokenRequest & Signing & { readonly client: Client }>()
  .and(scopesAreAllowed)
  .and(audiencesAreAllowed)
  .and(lifetimeIsAllowed)
  .and(tokenIsNotTooLong((content) => content))

/** Each wish is judged by the conditions of the single grant, on its own. */
const requestsAreEvaluated = condition<
  BatchRequest & Signing & { readonly client: Client },
  { readonly judged: readonly Result<TokenBasis>[] }
>('wishesAreJudged', async (ctx, { requests: wishes, client, signer }) =>
  success({ judged: await Promise.all(wishes.map((wish) => basis.check(ctx, { ...wish, client, signer }))) }),
)

/** The batch counts as the tokens that it would be issued; beyond the limits it is refused as a whole. */
const mintsAreWithinLimits = condition<{
  readonly client: Client
  readonly judged: readonly Result<TokenBasis>[]
}>('mintsAreWithinLimits', async (ctx, { client, judged }) => {
  const count = judged.filter((item) => item.ok).length
  return count === 0 ? HOLDS : await ctx.services.limits.minting.reserve(ctx, client.clientId, count)
})

const issuedTokensAreStored = postcondition<{ readonly issued: readonly Result<IssuedTokens>[] }, AppendStores>(
  'issuedTokensAreStored',
  (ctx, { issued }) => {
    for (const item of issued) if (item.ok) appendToken(ctx, item.value.token, 'token.issued')
    return HOLDS
  },
)

/** RFC 6749 §4.4 for several tokens: judged one by one, stored in one commit. */
export const clientCredentialsBatch = defineFlow({
  name: 'clientCredentialsBatch',
  lane: 'append',
  issues: { grant: 'client_credentials', count: (items) => items.filter((item) => item.ok).length },
  preconditions: given<BatchRequest>()
    .and(callerIsClient)
    .and(grantIsAllowed('client_credentials'))
    .and(signerIsReady)
    .and(requestsAreEvaluated)
    .and(mintsAreWithinLimits),
  run: async (ctx, { judged }) =>
    await Promise.all(judged.map(async (item) => (item.ok ? success(await issueOwnToken(ctx, item.value)) : item))),
  skipWrite: (_ctx, { judged }) => !judged.some((item) => item.ok),
  postconditions: [issuedTokensAreStored],
})
