import { type ErrorDetails, type ErrorRow, registry } from '../errors/registry.ts'
import type { FailedResult } from '../results.ts'

const BEARER = /^bearer(?:$|\s)/i
/** RFC 6750 §3: the characters of a scope need no escaping in quotes. Longer values are left out of the header. */
const SCOPE = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,1024}$/

/** RFC 9110 §11.6.1 and RFC 6750 §3: how to authenticate, or what is wrong with the token; `null` if the failure is about neither. */
export function challengeOf({ code, details }: FailedResult, authorization: readonly string[]): string | null {
  const { challenge, oauthError, status }: ErrorRow<ErrorDetails> = registry[code]
  switch (challenge) {
    case undefined:
      return null
    // RFC 6749 §5.2.
    case 'Basic':
      return 'Basic realm="qscope", charset="UTF-8"'
    case 'Bearer': {
      // RFC 6750 §3.1: no error code for a caller that sent no token or used another scheme.
      const showedToken = authorization.some((value) => BEARER.test(value))
      if (!showedToken) return status === 'UNAUTHENTICATED' ? 'Bearer realm="qscope"' : null
      const scope = details.metadata?.['required_scopes'] ?? ''
      return `Bearer realm="qscope", error="${oauthError}"${SCOPE.test(scope) ? `, scope="${scope}"` : ''}`
    }
    default:
      return challenge satisfies never
  }
}
