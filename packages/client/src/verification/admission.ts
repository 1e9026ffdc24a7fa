import { QScopeError, type Reason } from '../qscope-error.ts'
import type { StatusName } from '../status-name.ts'
import { VerifierClosedError } from './caching/caching-verifier.ts'
import { KeySetUnavailableError } from './key-set.ts'
import type { AudienceRule, MethodAccess, MethodRule } from './method-access.ts'
import type { TokenVerifier } from './token-verifier.ts'
import type { VerifiedToken } from './verified-token.ts'

/** How a server decides who comes in. */
export interface RequireTokenOptions {
  readonly verifier: TokenVerifier
  /** `methodAccess(…)` of each service, spread into one. */
  readonly access: MethodAccess
  /** The rule of the methods that `access` has none for; nobody may call them unless given. */
  readonly otherwise?: MethodRule | undefined
  /** Must be among the audiences of a token, unless the method has one of its own; the verifier's own goes beside it. */
  readonly audience?: string | undefined
  /** A token could not be checked: QScope is away, or this server's own credentials are wrong. The caller learns no more. */
  readonly onCheckFailure?: ((error: unknown) => void) | undefined
}

/** A call that wants in. */
export interface Knock {
  readonly path: string
  /** The values of `authorization`. */
  readonly authorization: readonly string[]
  /** The thumbprint of the certificate that the caller showed; `null`: none. */
  readonly certificate: string | null
  readonly signal?: AbortSignal | undefined
}

/** `token` is `null` for a method that is open to anyone. */
export type Admission =
  | { readonly admitted: true; readonly token: VerifiedToken | null }
  | { readonly admitted: false; readonly refusal: Refusal }

/** Why a call does not come in, as its caller learns it. */
export interface Refusal {
  readonly status: StatusName
  readonly reason: Reason
  readonly oauthError: string
  readonly message: string
  readonly metadata: Readonly<Record<string, string>>
}

const REFUSALS = Object.freeze({
  invalidToken: {
    status: 'UNAUTHENTICATED',
    reason: 'OAUTH_INVALID_TOKEN',
    oauthError: 'invalid_token',
    message: 'A valid access token is needed.',
  },
  insufficientScope: {
    status: 'PERMISSION_DENIED',
    reason: 'OAUTH_INSUFFICIENT_SCOPE',
    oauthError: 'insufficient_scope',
    message: 'The access token does not permit this.',
  },
  unavailable: {
    status: 'UNAVAILABLE',
    reason: 'OAUTH_TEMPORARILY_UNAVAILABLE',
    oauthError: 'temporarily_unavailable',
    message: 'The access token cannot be checked now.',
  },
  accident: {
    status: 'INTERNAL',
    reason: 'OAUTH_SERVER_ERROR',
    oauthError: 'server_error',
    message: 'The access token could not be checked.',
  },
} as const satisfies Record<string, Omit<Refusal, 'metadata'>>)

/** RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1). */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i

/** Judges a call by its token and its method's rule (RFC 6750 §3.1); throws only the reason of the signal. */
export async function admit(options: RequireTokenOptions, knock: Knock): Promise<Admission> {
  const rule = Object.hasOwn(options.access, knock.path) ? options.access[knock.path] : options.otherwise
  if (rule === 'anyone') return { admitted: true, token: null }
  const [authorization = '', ...more] = knock.authorization
  const value = BEARER.exec(authorization)?.[1]
  if (value === undefined || more.length > 0) return refused('invalidToken')
  try {
    const { certificate, signal } = knock
    const token = await options.verifier.verify({ value, certificate, signal })
    const { scopes, audience } = needsOf(rule, options.audience)
    if (token === null || !isFor(token, audience)) return refused('invalidToken')
    if (scopes === null) return refused('insufficientScope')
    if (scopes.some((scope) => !token.scopes.includes(scope))) {
      return refused('insufficientScope', { required_scopes: scopes.join(' ') })
    }
    return { admitted: true, token }
  } catch (error) {
    knock.signal?.throwIfAborted()
    options.onCheckFailure?.(error)
    return refused(isTemporary(error) ? 'unavailable' : 'accident')
  }
}

/** What a token has to have; `scopes` is `null` where none is enough. */
function needsOf(rule: readonly string[] | AudienceRule | undefined, audience: string | undefined) {
  if (rule === undefined) return { scopes: null, audience }
  return 'audience' in rule ? rule : { scopes: rule, audience }
}

function isFor({ audiences }: VerifiedToken, audience: string | undefined): boolean {
  return audience === undefined || audiences.includes(audience)
}

function refused(which: keyof typeof REFUSALS, metadata: Readonly<Record<string, string>> = {}): Admission {
  return { admitted: false, refusal: { ...REFUSALS[which], metadata } }
}

function isTemporary(error: unknown): boolean {
  if (error instanceof VerifierClosedError) return true
  if (error instanceof KeySetUnavailableError) return isTemporary(error.cause) || !(error.cause instanceof QScopeError)
  return error instanceof QScopeError && error.isTemporary
}
