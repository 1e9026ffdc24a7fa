import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { GrantType } from '../../src/domain/client.ts'
import { clockIsRight } from '../../src/flows/clock.ts'
import { REASONS_TO_END } from '../../src/flows/conditions/presented-token.ts'
import { redeemDeviceCode } from '../../src/flows/devices/redeem-device-code.ts'
import { startDeviceAuthorization } from '../../src/flows/devices/start-device-authorization.ts'
import { keyOf } from '../../src/flows/explanation.ts'
import { clientCredentials, clientCredentialsBatch } from '../../src/flows/grants/client-credentials.ts'
import { createAuthorizationCode } from '../../src/flows/grants/create-authorization-code.ts'
import { exchangeAssertion } from '../../src/flows/grants/exchange-assertion.ts'
import { exchangeAuthorizationCode } from '../../src/flows/grants/exchange-authorization-code.ts'
import { MINT_CONDITIONS, MINT_LIMITS } from '../../src/flows/grants/explain-mint.ts'
import { MINT_CHECKS } from '../../src/flows/grants/mint-checks.ts'
import { refreshToken } from '../../src/flows/grants/refresh-token.ts'
import { tokenExchange } from '../../src/flows/grants/token-exchange.ts'
import { END_CHECKS, TOKEN_CHECKS } from '../../src/flows/tokens/explain-token.ts'
import { introspectTokens } from '../../src/flows/tokens/introspect-tokens.ts'
import { verifyToken } from '../../src/flows/tokens/verify-token.ts'
import { errorToldBy, REASONS, toldOf } from '../setup/explained-refusals.ts'

/** The caller is authenticated before the flow; an explanation names a client instead. */
const PROOF = 'client_can_authenticate'
/** The condition depends on a code, token or assertion, which `ExplainMint` does not receive. `ExplainToken` explains tokens. */
const SHOWN = null
/** The condition decides a race, so its result cannot be predicted. */
const RACE = null
/** The condition depends on the address of the caller. */
const ADDRESS = null

const OWN = {
  grantIsAllowed: 'grant_is_allowed',
  scopesAreAllowed: 'scopes_are_allowed',
  audiencesAreAllowed: 'audiences_are_allowed',
  identityHasOneAudience: 'identity_has_audience',
  lifetimeIsAllowed: 'lifetime_is_allowed',
  tokenIsNotTooLong: 'token_is_not_too_long',
  signerIsReady: 'signer_is_ready',
}
const ISSUING = { clockIsRight: 'clock_is_right', callerIsClient: PROOF }
const LIMITS = {
  mintingIsWithinRate: 'minting_is_within_rate',
  liveTokensAreWithinQuota: 'live_tokens_are_within_quota',
}
const CONSENT = {
  delegatedScopesAreAllowed: 'scopes_are_allowed',
  audiencesAreAllowed: 'audiences_are_allowed',
  identityHasAudiences: 'identity_has_audience',
  tokenIsNotTooLong: 'token_is_not_too_long',
}
const REDEEMING = {
  ...ISSUING,
  grantIsAllowed: 'grant_is_allowed',
  grantStillReaches: SHOWN,
  audiencesAreWithinGrant: 'audiences_are_allowed',
  signerIsReady: 'signer_is_ready',
}

/** The parts of a flow that can refuse. */
interface Refusing {
  readonly name: string
  readonly issues?: object
  readonly preconditions: { readonly names: readonly string[] }
  readonly reserve?: readonly { readonly name: string }[]
  readonly postconditions: readonly { readonly name: string }[]
}

/** For each flow that leads to a token: the check that explains each of its conditions. */
const FLOWS: readonly (readonly [Refusing, GrantType, Readonly<Record<string, string | null>>])[] = [
  [clientCredentials, 'client_credentials', { ...ISSUING, ...OWN, ...LIMITS, tokenIsAppended: RACE }],
  [
    clientCredentialsBatch,
    'client_credentials',
    {
      ...ISSUING,
      grantIsAllowed: 'grant_is_allowed',
      signerIsReady: 'signer_is_ready',
      // Each request of a batch is checked by the conditions of MintToken, and has its own result.
      requestsAreEvaluated: 'scopes_are_allowed',
      ...LIMITS,
      issuedTokensAreStored: RACE,
    },
  ],
  [
    createAuthorizationCode,
    'authorization_code',
    {
      clientExists: 'client_is_registered',
      clientMayObtainConsent: 'grant_is_allowed',
      redirectUriIsRegistered: SHOWN,
      challengeIsGiven: SHOWN,
      ...CONSENT,
      userIsKnownOrNew: SHOWN,
      userIsActive: SHOWN,
      consentIsStored: RACE,
    },
  ],
  [
    exchangeAuthorizationCode,
    'authorization_code',
    {
      ...REDEEMING,
      codeIsOwn: SHOWN,
      verifierFits: SHOWN,
      codeIsUnspent: SHOWN,
      redirectUriIsTheSame: SHOWN,
      codeIsLive: SHOWN,
      identityHasOneAudience: SHOWN,
      tokenIsNotTooLong: 'token_is_not_too_long',
      codeIsSpentOnce: RACE,
    },
  ],
  [
    startDeviceAuthorization,
    'device_code',
    {
      callerIsClient: PROOF,
      grantIsAllowed: 'grant_is_allowed',
      ...CONSENT,
      peerIsWithinItsRate: ADDRESS,
      peerIsWithinItsShare: ADDRESS,
      pendingOnesAreFew: 'pending_devices_are_within_cap',
      authorizationIsStored: RACE,
    },
  ],
  [
    redeemDeviceCode,
    'device_code',
    {
      ...REDEEMING,
      deviceCodeIsOwn: SHOWN,
      deviceIsApproved: SHOWN,
      consentStands: SHOWN,
      identityHasOneAudience: SHOWN,
      tokenIsNotTooLong: 'token_is_not_too_long',
      codeIsRedeemedOnce: RACE,
    },
  ],
  [
    refreshToken,
    'refresh_token',
    {
      ...REDEEMING,
      refreshTokenIsOwn: SHOWN,
      familyIsActive: SHOWN,
      refreshTokenIsUnspentOrReplayed: SHOWN,
      refreshTokenIsFresh: SHOWN,
      scopesAreWithinGrant: 'scopes_are_allowed',
      identityHasOneAudience: 'identity_has_audience',
      tokenIsNotTooLong: 'token_is_not_too_long',
      successorIsTheOnlyOne: RACE,
    },
  ],
  [
    tokenExchange,
    'token_exchange',
    {
      ...ISSUING,
      grantIsAllowed: 'grant_is_allowed',
      tokenTypesAreKnown: SHOWN,
      subjectTokenIsAcceptable: SHOWN,
      actorIsKnown: SHOWN,
      scopesAreNotWidened: 'scopes_are_allowed',
      audiencesAreAllowed: 'audiences_are_allowed',
      audiencesAreKept: SHOWN,
      identityHasOneAudience: 'identity_has_audience',
      signerIsReady: 'signer_is_ready',
      tokenIsNotTooLong: 'token_is_not_too_long',
      ...LIMITS,
      tokenIsAppended: RACE,
    },
  ],
  [
    exchangeAssertion,
    'jwt_bearer',
    {
      clockIsRight: 'clock_is_right',
      someIssuerIsTrusted: 'some_issuer_is_trusted',
      assertionIsGood: SHOWN,
      // The result of a rule depends on the claims of the assertion.
      rulesAreEvaluated: SHOWN,
      assertionStandsForClient: 'some_rule_names_client',
      grantIsAllowed: 'grant_is_allowed',
      scopesAreOfRule: 'scopes_are_allowed',
      audiencesAreAllowed: 'audiences_are_allowed',
      // An assertion is exchanged without a requested lifetime.
      lifetimeIsAllowed: SHOWN,
      identityHasOneAudience: 'identity_has_audience',
      signerIsReady: 'signer_is_ready',
      tokenIsNotTooLong: 'token_is_not_too_long',
      ...LIMITS,
      assertionIsNew: SHOWN,
      assertedTokenIsAppended: RACE,
    },
  ],
]

const claimsOf = ({ issues, preconditions, reserve = [], postconditions }: Refusing): readonly string[] => [
  ...(issues === undefined ? [] : [clockIsRight.name]),
  ...preconditions.names.map(keyOf),
  ...[...reserve, ...postconditions].map(({ name }) => name),
]

/** The names of the checks that `ExplainMint` can answer for a grant. */
const checksOf = (grant: GrantType): readonly string[] => [
  'client_is_registered',
  ...[...MINT_CONDITIONS[grant].names, ...MINT_LIMITS[grant].map(({ name }) => name)].map(
    (name) => MINT_CHECKS[keyOf(name)]?.name ?? `${name} has no text`,
  ),
]

const GRANTS = Object.keys(MINT_CONDITIONS) as GrantType[]

describe('a condition of a flow that leads to a token', () => {
  it.each(FLOWS.map(([flow, grant, told]) => [flow.name, flow, grant, told] as const))(
    'is explained by a check of its grant, or listed as unexplained: %s',
    (_name, flow, grant, told) => {
      expect([...new Set(claimsOf(flow))].sort()).toEqual(Object.keys(told).sort())
      const named = Object.values(told).filter((check) => check !== null)
      expect(named.filter((check) => !checksOf(grant).includes(check))).toEqual([])
    },
  )

  it.each(GRANTS)('is explained for grant %s only by checks with texts', (grant) => {
    expect(checksOf(grant).filter((name) => name.includes(' '))).toEqual([])
  })

  it('has a check for every error of MintToken', () => {
    const told = checksOf('client_credentials').filter((name) => name !== 'signer_is_ready')
    expect([...toldOf('mint')].sort()).toEqual([...told].sort())
  })
})

describe('a condition that refuses a token', () => {
  it('is explained by a check with a text, or is about the caller', () => {
    const ofCaller = introspectTokens.preconditions.names
    expect(ofCaller).toEqual(['callerMayCheckTokens'])
    const own = verifyToken.preconditions.names.filter((name) => !ofCaller.includes(name) && name !== 'tokenIsInForce')
    expect(own).toEqual(Object.keys(TOKEN_CHECKS))
    const reasons = new Set([...REASONS_TO_END.access, ...REASONS_TO_END.refresh])
    expect(Object.keys(END_CHECKS).sort()).toEqual([...reasons].sort())
    for (const reason of reasons) expect(END_CHECKS[reason].name).toBe(REASONS[reason].check)
  })

  it('has a check for every error of VerifyToken, and for each reason in the log', () => {
    const checks = [...Object.values(TOKEN_CHECKS), ...Object.values(END_CHECKS)].map(({ name }) => name)
    expect([...toldOf('verify')].sort()).toEqual([...checks].sort())
    const explaining = new Set(Object.values(REASONS).map(({ check }) => check))
    expect([...explaining].sort()).toEqual([...checks].sort())
  })

  it('makes a token inactive in introspection exactly if introspection evaluates it', () => {
    const evaluated = ['unknown', 'not_visible', ...REASONS_TO_END.access, ...REASONS_TO_END.refresh]
    const inactive = Object.entries(REASONS).flatMap(([reason, { introspect }]) =>
      introspect === 'inactive' ? [reason] : [],
    )
    expect(inactive.sort()).toEqual([...new Set(evaluated)].sort())
  })
})

describe('docs/explanations.md', () => {
  const page = readFileSync(new URL('../../docs/explanations.md', import.meta.url), 'utf8')
  const rowsBelow = (heading: string): readonly string[] =>
    (page.split(`\n## ${heading}\n`)[1] ?? '')
      .split('\n## ')[0]
      ?.split('\n')
      .filter((line) => line.startsWith('| `')) ?? []

  it('has a row for every check of a token, with its error', () => {
    const rows = rowsBelow('Why a token is refused')
    for (const check of toldOf('verify')) {
      expect(
        rows.filter((row) => row.includes(`\`${check}\``) && row.includes(errorToldBy('verify', check))),
      ).toHaveLength(1)
    }
  })

  it('has a row for every check of a mint, with its error', () => {
    const rows = rowsBelow('Why a client is issued no token')
    const names = new Set(GRANTS.flatMap(checksOf))
    for (const check of names) expect(rows.filter((row) => row.startsWith(`| \`${check}\``))).toHaveLength(1)
    for (const check of toldOf('mint')) {
      expect(rows.find((row) => row.startsWith(`| \`${check}\``))).toContain(errorToldBy('mint', check))
    }
  })
})
