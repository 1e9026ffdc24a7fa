import { type ErrorDetails, type ErrorRow, type FieldViolation, registry } from '../../../errors/registry.ts'
import type { FailedResult } from '../../../results.ts'
import { challengeOf } from '../../../rpc/challenge.ts'
import { anchorOf, MAX_VIOLATIONS, sentenceOf } from '../../../rpc/rpc-status.ts'
import { type Answer, jsonAnswer } from '../exchange/answer.ts'

/** RFC 6749 §5.1, and §5.2 by its examples: no cache, including those of HTTP/1.0, may store an answer. */
export const NOT_STORED = Object.freeze({ 'cache-control': 'no-store', pragma: 'no-cache' })

/** The names of form parameters for fields of the contract with different names. */
const PARAMETERS: ReadonlyMap<string, string> = new Map([
  ['scopes', 'scope'],
  ['audiences', 'audience'],
  ['client', 'The client in the form'],
])

/**
 * The OAuth error response for a refusal (RFC 6749 §5.2).
 *
 * @param authorization all values that were received.
 * @param helpBase the address of the error documentation; without it, there is no `error_uri`.
 */
export function toOAuthRefusal(
  failed: FailedResult,
  authorization: readonly string[],
  helpBase: string | undefined,
): Answer {
  const { http, oauthError, challenge }: ErrorRow<ErrorDetails> = registry[failed.code]
  const { retryAfterMs, violations = [] } = failed.details
  // A form has other names for some fields, so that the violations replace the sentence of the registry.
  const sentences =
    violations.length === 0 ? [sentenceOf(failed)] : violations.slice(0, MAX_VIOLATIONS).map(sentenceOfViolation)
  const body = {
    error: oauthError ?? http.error,
    error_description: described(sentences.join(' ')),
    ...(helpBase !== undefined && { error_uri: `${helpBase}#${anchorOf(failed.code)}` }),
  }
  const answer = { ...jsonAnswer(http.status, body), headers: NOT_STORED }
  switch (http.header) {
    case null:
      return answer
    case 'Retry-After':
      return retryAfterMs === undefined ? answer : { ...answer, retryAfter: Math.ceil(retryAfterMs / 1_000) }
    case 'WWW-Authenticate': {
      // RFC 6749 §5.2: only callers that sent the `authorization` header get the `Basic` challenge.
      const isTold = challenge !== 'Basic' || authorization.length > 0
      const value = isTold ? challengeOf(failed, authorization) : null
      return value === null ? answer : { ...answer, headers: { ...NOT_STORED, 'www-authenticate': value } }
    }
    default:
      return http satisfies never
  }
}

/** A sentence about a field violation, with the field's name in a form. */
function sentenceOfViolation({ field, description }: FieldViolation): string {
  const name =
    field
      .split('.')
      .at(-1)
      ?.replace(/\[\d+\]$/, '') ?? ''
  return name === '' ? `The request ${description}.` : `${PARAMETERS.get(name) ?? name} ${description}.`
}

/** RFC 6749 §5.2: `error_description` is ASCII without quotation marks and backslashes. */
function described(text: string): string {
  return text
    .replaceAll('§', 'section ')
    .replaceAll(/["“”‘’]/g, "'")
    .replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?')
}
