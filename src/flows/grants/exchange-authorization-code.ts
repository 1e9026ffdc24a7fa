import { hashToken, readToken, verifierMatches } from '../../crypto/token.ts'
import type { Client } from '../../domain/client.ts'
import { type AuthorizationCodeStatus, isGrantActive } from '../../domain/grant.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-length.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { audiencesAreWithinGrant, grantStillReaches, type NarrowedTarget, refuseReuse } from '../conditions/grant.ts'
import { identityHasOneAudience } from '../conditions/identity-token.ts'
import { signerIsReady } from '../conditions/signing-key.ts'
import { defineFlow, oneToken } from '../flow.ts'
import { type IssuedTokens, issueFamilyTokens } from './issue-tokens.ts'
import { enforceFamilyLimits, lockFamily, storeFamilyTokens } from './store-tokens.ts'

interface CodeExchange extends NarrowedTarget {
  /** As the client presents it; any string. */
  readonly presentedCode: string
  readonly redirectUri: string
  /** `null`: the client sent none. */
  readonly codeVerifier: string | null
}

type PresentedCode = { readonly status: AuthorizationCodeStatus }

/** RFC 6749 §4.1.3: the code exists and was issued to this client. An attempt by another client changes nothing. */
const codeIsOwn = condition<CodeExchange & { readonly client: Client }, PresentedCode>(
  'codeIsOwn',
  async (ctx, { presentedCode, client }) => {
    const read = readToken(presentedCode)
    if (read?.kind !== 'authorization_code') return fail('oauth.invalid_grant')
    const status = await ctx.stores.authorizationCodes.findByHash(ctx, hashToken(read.token))
    return status?.grant.clientId === client.clientId ? success({ status }) : fail('oauth.invalid_grant')
  },
)

/** RFC 6749 §4.1.3: the redirect URI is identical to the one that the code was issued for. */
const redirectUriIsTheSame = condition<CodeExchange & PresentedCode>(
  'redirectUriIsTheSame',
  (_ctx, { redirectUri, status }) => (redirectUri === status.code.redirectUri ? HOLDS : fail('oauth.invalid_grant')),
)

/**
 * RFC 7636 §4.6; RFC 9700 §2.1.1: a verifier without a challenge is a downgrade attack. A challenge without a verifier
 * indicates a stolen code.
 */
const verifierFits = condition<CodeExchange & PresentedCode>('verifierFits', (_ctx, { codeVerifier, status }) => {
  const { codeChallenge } = status.code
  const fits =
    codeChallenge === null
      ? codeVerifier === null
      : codeVerifier !== null && verifierMatches(codeVerifier, codeChallenge)
  return fits ? HOLDS : fail('oauth.invalid_grant')
})

/** RFC 6749 §4.1.2, §10.5: a code is used once. A second use revokes everything that the first one issued. */
const codeIsUnspent = condition<PresentedCode>('codeIsUnspent', (_ctx, { status: { code, grant } }) =>
  code.consumedAt === null ? HOLDS : refuseReuse(grant, 'authorization_code.reused'),
)

/** RFC 6749 §4.1.2: the code has not expired, and neither client nor user was disabled since it was issued. */
const codeIsLive = condition<PresentedCode>('codeIsLive', (ctx, { status }) =>
  ctx.now < status.code.expiresAt && isGrantActive(status, ctx.now) ? HOLDS : fail('oauth.invalid_grant'),
)

/** Exactly one of any number of parallel uses spends the code. The others are evaluated again and find it spent. */
const codeIsSpentOnce = postcondition<
  PresentedCode & { readonly client: Client; readonly issued: IssuedTokens },
  TransactionStores
>('codeIsSpentOnce', async (ctx, { client, status, issued }) => {
  if (!(await lockFamily(ctx, client, issued, true))) return LOST_RACE
  if (!(await ctx.stores.authorizationCodes.consume(status.code.codeId, ctx.now))) return LOST_RACE
  await storeFamilyTokens(ctx, client, issued, 'token.issued')
  await enforceFamilyLimits(ctx, client, issued)
  return HOLDS
})

/** RFC 6749 §4.1.3 with RFC 7636: the client redeems the code from the redirect. */
export const exchangeAuthorizationCode = defineFlow({
  name: 'exchangeAuthorizationCode',
  lane: 'transaction',
  issues: oneToken('authorization_code'),
  preconditions: given<CodeExchange>()
    .and(callerIsClient)
    .and(grantIsAllowed('authorization_code'))
    .and(codeIsOwn)
    .and(verifierFits)
    .and(codeIsUnspent)
    .and(redirectUriIsTheSame)
    .and(codeIsLive)
    .and(grantStillReaches)
    .and(audiencesAreWithinGrant)
    .and(identityHasOneAudience)
    .and(signerIsReady)
    .and(tokenIsNotTooLong(({ effective: { scopes }, audiences }) => ({ scopes, audiences }))),
  run: (ctx, { client, signer, effective: { scopes }, audiences, status: { grant } }) =>
    issueFamilyTokens(ctx, { client, signer, grant, scopes, audiences }),
  postconditions: [codeIsSpentOnce],
})
