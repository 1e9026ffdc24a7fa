import { given } from '../condition.ts'
import { signerIsReady, tokenIsNotTooLong } from '../conditions/access-token-format.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { mintingIsWithinLimits } from '../conditions/minting.ts'
import { audiencesAreAllowed, lifetimeIsAllowed, scopesAreAllowed, type TokenRequest } from '../conditions/request.ts'
import { defineFlow, oneToken } from '../flow.ts'
import { tokenIsAppended } from './append-token.ts'
import { issueOwnToken } from './issue-tokens.ts'

/** RFC 6749 §4.4: a confidential client obtains an access token for itself. */
export const clientCredentials = defineFlow({
  name: 'clientCredentials',
  lane: 'append',
  issues: oneToken('client_credentials'),
  preconditions: given<TokenRequest>()
    .and(callerIsClient)
    .and(grantIsAllowed('client_credentials'))
    .and(scopesAreAllowed)
    .and(audiencesAreAllowed)
    .and(lifetimeIsAllowed)
    .and(signerIsReady)
    .and(tokenIsNotTooLong((content) => content))
    .and(mintingIsWithinLimits),
  run: issueOwnToken,
  postconditions: [tokenIsAppended('token.issued')],
})
