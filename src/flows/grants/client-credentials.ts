import type { Client } from '../../domain/client.ts'
import { HOLDS, type Result, success } from '../../results.ts'
import type { AppendStores } from '../../stores/contract/backend.ts'
import { condition, given, postcondition } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-length.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { identityHasOneAudience } from '../conditions/identity-token.ts'
import { audiencesAreAllowed, lifetimeIsAllowed, scopesAreAllowed, type TokenRequest } from '../conditions/request.ts'
import { type Signing, signerIsReady } from '../conditions/signing-key.ts'
import { defineFlow, oneToken } from '../flow.ts'
import { type IssuedTokens, issueOwnToken, type TokenBasis } from './issue-tokens.ts'
import { mintLimits } from './mint-limits.ts'
import { appendToken, tokenIsAppended } from './store-tokens.ts'

/** The conditions for a client's own token after the client has authenticated. */
export const ownTokenConditions = given<TokenRequest & { readonly client: Client }>()
  .and(grantIsAllowed('client_credentials'))
  .and(scopesAreAllowed)
  .and(audiencesAreAllowed)
  .and(identityHasOneAudience)
  .and(lifetimeIsAllowed)
  .and(tokenIsNotTooLong((content) => content))
  .and(signerIsReady)

/** RFC 6749 §4.4: a confidential client obtains an access token for itself. */
export const clientCredentials = defineFlow({
  name: 'clientCredentials',
  lane: 'append',
  issues: oneToken('client_credentials'),
  preconditions: given<TokenRequest>().and(callerIsClient).followedBy(ownTokenConditions),
  reserve: mintLimits(),
  run: issueOwnToken,
  postconditions: [tokenIsAppended('token.issued')],
})

interface BatchRequest {
  readonly requests: readonly TokenRequest[]
}

type Evaluated = { readonly evaluated: readonly Result<TokenBasis>[] }

const basis = given<TokenRequest & Signing & { readonly client: Client }>()
  .and(scopesAreAllowed)
  .and(audiencesAreAllowed)
  .and(identityHasOneAudience)
  .and(lifetimeIsAllowed)
  .and(tokenIsNotTooLong((content) => content))

/** Each request is evaluated on its own, by the conditions of the single grant. */
const requestsAreEvaluated = condition<BatchRequest & Signing & { readonly client: Client }, Evaluated>(
  'requestsAreEvaluated',
  async (ctx, { requests, client, signer }) =>
    success({
      evaluated: await Promise.all(requests.map((request) => basis.check(ctx, { ...request, client, signer }))),
    }),
)

const issuedTokensAreStored = postcondition<{ readonly issued: readonly Result<IssuedTokens>[] }, AppendStores>(
  'issuedTokensAreStored',
  (ctx, { issued }) => {
    for (const item of issued) if (item.ok) appendToken(ctx, item.value.token, 'token.issued')
    return HOLDS
  },
)

/** RFC 6749 §4.4 for several tokens: evaluated one by one, stored in one commit. */
export const clientCredentialsBatch = defineFlow({
  name: 'clientCredentialsBatch',
  lane: 'append',
  issues: { grant: 'client_credentials', count: (items) => items.filter((item) => item.ok).length },
  preconditions: given<BatchRequest>()
    .and(callerIsClient)
    .and(grantIsAllowed('client_credentials'))
    .and(signerIsReady)
    .and(requestsAreEvaluated),
  skipWrite: (_ctx, { evaluated }) => !evaluated.some((item) => item.ok),
  // The batch counts as its number of tokens. Beyond the limits it is refused as a whole.
  reserve: mintLimits(
    ({ evaluated }: Evaluated & { readonly client: Client }) => evaluated.filter((item) => item.ok).length,
  ),
  run: async (ctx, { evaluated }) =>
    await Promise.all(evaluated.map(async (item) => (item.ok ? success(await issueOwnToken(ctx, item.value)) : item))),
  postconditions: [issuedTokensAreStored],
})
