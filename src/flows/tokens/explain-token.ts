import { readToken, type TokenKind } from '../../crypto/token.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { beyond } from '../../domain/scopes.ts'
import { given } from '../condition.ts'
import { callerMayCheckTokens, type Viewer } from '../conditions/caller.ts'
import { type Found, REASONS_TO_END } from '../conditions/presented-token.ts'
import { type Check, type CheckTexts, type Explanation, listed, toCheck } from '../explanation.ts'
import { query } from '../flow.ts'
import { type VerifyTokenRequest, verifyToken } from './verify-token.ts'

/**
 * Explains the decision of `verifyToken`: it evaluates that query's own preconditions. A token that introspection would
 * hide is unknown here too, after the same look-ups. The state of clients, users, grants and other tokens is explained
 * only to callers that may see them, with `qscope:tokens.read`.
 */
export const explainToken = query({
  name: 'explainToken',
  preconditions: given<VerifyTokenRequest>().and(callerMayCheckTokens),
  answer: async (ctx, request): Promise<Explanation> => {
    const { evaluated, known, refusal } = await verifyToken.preconditions.trace(ctx, request)
    const { seen: found, ended = null } = known
    if (found === undefined) return { verdict: 'unknown', checks: [unknownCheck(request.presented)], refusal }
    const facts = { ...request, found }
    const checks = evaluated.flatMap((each): readonly Check[] => {
      if (each.name === 'callerMayCheckTokens') return []
      return each.name === 'tokenIsInForce'
        ? endChecks(request.viewer, found, ended, ctx.now)
        : [toCheck(TOKEN_CHECKS, each, facts)]
    })
    return { verdict: refusal === null ? 'accepted' : 'refused', checks, refusal }
  },
})

type Facts = VerifyTokenRequest & { readonly found: Found }
type ReasonToEnd = (typeof REASONS_TO_END)[Found['use']][number]

/** The same answer for every token that is hidden or unknown, so that it reveals nothing. */
export const UNKNOWN_TOKEN: Check = Object.freeze({
  name: 'token_is_known',
  passed: false,
  detail: 'it is not a token of this server, was deleted after it had expired, or you may not see it',
  fix: 'Check that the token is complete and was issued by this server. The tokens of other clients are visible to the resource server of their audience and to callers with qscope:tokens.read.',
})

const CODE_FIX =
  'Explain a token that it was redeemed for. If its redemption was refused, the log has the failed condition in the line with the ray id of the refusal.'

/** The kinds of values of this server that are not tokens. */
const OTHER_KINDS: Readonly<Partial<Record<TokenKind, { readonly what: string; readonly fix: string }>>> = {
  authorization_code: { what: 'an authorization code', fix: CODE_FIX },
  device_code: { what: 'a device code', fix: CODE_FIX },
  client_secret: {
    what: 'a client secret',
    fix: 'Present a token. If others saw the secret, rotate it (RotateClientSecret).',
  },
}

/** Only the form of the value decides, so the answer reveals nothing about what is stored. */
function unknownCheck(presented: string): Check {
  const kind = readToken(presented)?.kind
  const other = kind === undefined ? undefined : OTHER_KINDS[kind]
  if (other === undefined) return UNKNOWN_TOKEN
  return { ...UNKNOWN_TOKEN, detail: `it is ${other.what}, which is not a token`, fix: other.fix }
}

/** The texts for each condition of `verifyToken`, by condition name. */
export const TOKEN_CHECKS: CheckTexts<Facts> = Object.freeze({
  tokenIsKnown: {
    name: UNKNOWN_TOKEN.name,
    detail: ({ found }) => (found === undefined ? '' : `${USES[found.use]} ${found.status.token.tokenId}`),
    fix: UNKNOWN_TOKEN.fix,
  },
  tokenIsAccessToken: {
    name: 'token_is_access_token',
    detail: ({ found }) =>
      found?.use === 'refresh' ? 'it is a refresh token; IntrospectToken answers active' : 'it is an access token',
    fix: 'Present the access token. A refresh token is only for RefreshToken.',
  },
  tokenIsForAudience: {
    name: 'token_is_for_audience',
    detail: ({ found, audience = null }) => {
      const own = `its audiences: ${listed(audiencesOf(found))}`
      return audience === null ? `${own}; none is required` : `${own}; required: ${audience}`
    },
    fix: 'Mint or exchange a token for this audience, or require an audience that the token has. A token without audiences is refused if any audience is required.',
  },
  bearerHoldsCertificate: {
    name: 'bearer_holds_certificate',
    detail: ({ found, presentedCertificate = null }) => {
      const bound = found?.use === 'access' ? found.status.token.confirmation : null
      if (bound === null) return 'it is not bound to a certificate'
      return `it is bound to certificate ${bound}; presented: ${presentedCertificate ?? 'none'}`
    },
    fix: 'The bearer must connect with the certificate with which it got the token. Send the thumbprint of that certificate as presented_certificate_sha256. After the certificate has changed, the bearer needs a new token.',
  },
  tokenHasScopes: {
    name: 'token_has_scopes',
    detail: ({ found, requiredScopes = [] }) => {
      const scopes = found?.use === 'access' ? found.status.token.scopes : []
      const missing = beyond(requiredScopes, scopes)
      return `its scopes: ${listed(scopes)}; required: ${listed(requiredScopes)}${missing.length === 0 ? '' : `; missing: ${missing.join(' ')}`}`
    },
    fix: 'Mint a token with the missing scopes, from a client that is registered for them (UpdateClient).',
  },
})

const USES = { access: 'access token', refresh: 'refresh token' } as const satisfies Record<Found['use'], string>

function audiencesOf(found: Found | undefined): readonly string[] {
  return found?.use === 'access' ? found.status.token.audiences : []
}

/** The text for a reason why a token ended. */
interface EndText {
  readonly name: string
  /** Whether the reason can apply to a token. If absent, it applies to each. */
  readonly concerns?: (found: Found) => boolean
  readonly holds: (found: Found) => string
  readonly ended: (found: Found) => string
  readonly fix: string
}

const ofGrant = ({ status }: Found): string => `grant ${status.token.grantId}`
const ofClient = ({ status }: Found): string => `client ${status.token.clientId}`
const ofUser = ({ status }: Found): string => `user ${status.token.userId}`
const hasUser = ({ status }: Found): boolean => status.token.userId !== null

const EXPIRY: EndText = {
  name: 'token_is_unexpired',
  holds: ({ status }) => `it expires at ${moment(status.token.expiresAt)}`,
  ended: ({ status }) => `it expired at ${moment(status.token.expiresAt)}`,
  fix: 'Get a new token. If the token has just been issued, compare the clocks and check access_token_ttl of the client.',
}

/** The texts for each reason why a token can end. */
export const END_CHECKS: Readonly<Record<ReasonToEnd, EndText>> = {
  expired: EXPIRY,
  revoked: {
    name: 'token_is_unrevoked',
    holds: () => 'it was not revoked itself',
    ended: () => 'it was revoked itself',
    fix: 'Get a new token. ListAuditEvents shows who revoked it, in the event token.revoked with its token_id.',
  },
  spent: {
    name: 'refresh_token_is_unspent',
    holds: () => 'it has not been used yet',
    ended: () => 'it was exchanged for its successor',
    fix: 'Use the refresh token of the latest answer. A second use of a refresh token revokes its grant.',
  },
  grant_revoked: {
    name: 'grant_is_unrevoked',
    concerns: ({ status }) => status.token.grantId !== null,
    holds: (found) => `${ofGrant(found)} was not revoked`,
    ended: (found) => `${ofGrant(found)} was revoked`,
    fix: 'Ask the user to consent again. ListAuditEvents shows the reason, in the event tokens.revoked, refresh_token.reused or authorization_code.reused with the grant_id.',
  },
  grant_expired: {
    name: 'grant_is_unexpired',
    holds: (found) => `${ofGrant(found)} has not expired`,
    ended: (found) => `${ofGrant(found)} has expired`,
    fix: 'Ask the user to consent again. For later grants, you can increase refresh_token_max_lifetime of the client.',
  },
  signing_key_revoked: {
    name: 'signing_key_is_unrevoked',
    concerns: ({ use, status }) =>
      use === 'access' && 'signingKeyId' in status.token && status.token.signingKeyId !== null,
    holds: () => 'the key that signed it was not revoked',
    ended: () => 'the key that signed it was revoked',
    fix: 'Get a new token. It is signed with another key.',
  },
  client_disabled: {
    name: 'client_is_enabled',
    holds: (found) => `${ofClient(found)} is enabled`,
    ended: (found) => `${ofClient(found)} is disabled or was deleted`,
    fix: 'Enable the client with EnableClient. Its unexpired tokens then work again. After a compromise, call RevokeTokens first.',
  },
  client_tokens_revoked: {
    name: 'client_tokens_are_unrevoked',
    holds: (found) => `the tokens of ${ofClient(found)} were not revoked since it was issued`,
    ended: (found) => `all tokens of ${ofClient(found)} were revoked after it was issued`,
    fix: 'Get a new token. ListAuditEvents shows who revoked them, in the event tokens.revoked with the client_id.',
  },
  user_deactivated: {
    name: 'user_is_active',
    concerns: hasUser,
    holds: (found) => `${ofUser(found)} is active`,
    ended: (found) => `${ofUser(found)} is deactivated or was deleted`,
    fix: 'Reactivate the user with ReactivateUser. The unexpired tokens of the user then work again.',
  },
  user_tokens_revoked: {
    name: 'user_tokens_are_unrevoked',
    concerns: hasUser,
    holds: (found) => `the tokens of ${ofUser(found)} were not revoked since it was issued`,
    ended: (found) => `all tokens of ${ofUser(found)} were revoked after it was issued`,
    fix: 'Ask the user to consent again. ListAuditEvents shows who revoked them, in the event tokens.revoked with the user_id.',
  },
  ancestor_inactive: {
    name: 'exchanged_tokens_are_active',
    concerns: (found) => ancestorsOf(found).length > 0,
    holds: (found) => `the tokens it was exchanged from are active: ${ancestorsOf(found).join(' ')}`,
    ended: (found) => `one of the tokens it was exchanged from is not active: ${ancestorsOf(found).join(' ')}`,
    fix: 'Exchange an active subject token. ListTokens shows which of these tokens is not active.',
  },
}

/** For callers that may not see the token's dependencies. */
const SOMETHING_ELSE: Pick<EndText, 'name' | 'fix'> = {
  name: 'token_is_in_force',
  fix: 'Get a new token. Callers with qscope:tokens.read can see why it ended.',
}

/** The possible reasons for the end of the token, up to the actual one. */
function endChecks(viewer: Viewer, found: Found, ended: string | null, now: EpochMs): readonly Check[] {
  if (viewer.kind === 'client') return endChecksOfClient(found, ended, now)
  const reasons: readonly ReasonToEnd[] = REASONS_TO_END[found.use]
  const last = reasons.find((reason) => reason === ended)
  const reached = last === undefined ? reasons : reasons.slice(0, reasons.indexOf(last) + 1)
  return reached.flatMap((reason) => {
    const { concerns } = END_CHECKS[reason]
    return reason === ended || concerns === undefined || concerns(found)
      ? [endCheck(END_CHECKS[reason], found, reason !== ended)]
      : []
  })
}

/**
 * Expiry, and whether any other reason ended it. A client cannot distinguish the other reasons, whatever their order.
 */
function endChecksOfClient(found: Found, ended: string | null, now: EpochMs): readonly Check[] {
  const isUnexpired = now < found.status.token.expiresAt
  const expiry = endCheck(EXPIRY, found, isUnexpired)
  if (!isUnexpired) return [expiry]
  const { name, fix } = SOMETHING_ELSE
  return [
    expiry,
    ended === null
      ? { name, passed: true, detail: 'it is in force', fix: '' }
      : { name, passed: false, detail: 'it ended before its expiry', fix },
  ]
}

function endCheck({ name, holds, ended, fix }: EndText, found: Found, passed: boolean): Check {
  return { name, passed, detail: passed ? holds(found) : ended(found), fix: passed ? '' : fix }
}

function ancestorsOf(found: Found): readonly string[] {
  return found.use === 'access' ? found.status.token.ancestors : []
}

function moment(at: EpochMs): string {
  return new Date(at).toISOString()
}
