import type { Client } from '../../domain/client.ts'
import { HOLDS, type Result, success } from '../../results.ts'
import type { AppendStores } from '../../stores/contract.ts'
import { condition, given, postcondition } from '../condition.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { audiencesAreAllowed, lifetimeIsAllowed, scopesAreAllowed, type TokenWishes } from '../conditions/request.ts'
import { defineFlow } from '../flow.ts'
import { appendToken } from './append-token.ts'
import { type IssuedTokens, issueOwnToken, type TokenGrounds } from './issue-tokens.ts'

interface Wishes {
  readonly wishes: readonly TokenWishes[]
}

const grounds = given<TokenWishes & { readonly client: Client }>()
  .and(scopesAreAllowed)
  .and(audiencesAreAllowed)
  .and(lifetimeIsAllowed)

/** Each wish is judged by the conditions of the single grant, on its own. */
const wishesAreJudged = condition<
  Wishes & { readonly client: Client },
  { readonly judged: readonly Result<TokenGrounds>[] }
>('wishesAreJudged', async (ctx, { wishes, client }) =>
  success({ judged: await Promise.all(wishes.map((wish) => grounds.check(ctx, { ...wish, client }))) }),
)

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
  preconditions: given<Wishes>().and(callerIsClient).and(grantIsAllowed('client_credentials')).and(wishesAreJudged),
  run: (ctx, { judged }) => judged.map((item) => (item.ok ? success(issueOwnToken(ctx, item.value)) : item)),
  isIdle: (_ctx, { judged }) => !judged.some((item) => item.ok),
  postconditions: [issuedTokensAreStored],
})
