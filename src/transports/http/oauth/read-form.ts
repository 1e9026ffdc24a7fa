import type { IncomingMessage } from 'node:http'
import { GRANT_TYPE_NAMES } from '../../../domain/grant-type-names.ts'
import { jsonObject } from '../../../json-object.ts'
import { type FailedResult, invalidRequest, type Result, success } from '../../../results.ts'
import { Form, parseForm, REPEATABLE, shownName } from './form.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'
/** RFC 9110 §8.3.1: the parameters of a media type. Only `charset` has a meaning here. */
const CHARSET = /^[ \t]*charset=(?:utf-8|"utf-8")[ \t]*$/i

/** The format of a body. */
export type BodyFormat = 'form' | 'json'

/**
 * Determines the format of a request's body from its headers alone. Refuses a body that is not a form in UTF-8. Refuses
 * parameters in the URL, where logs and caches keep them (RFC 6749 §2.3.1). Accepts JSON if the endpoint supports it.
 */
export function bodyFormatOf(request: IncomingMessage, mayBeJson: boolean): Result<BodyFormat> {
  const { url = '', headersDistinct } = request
  const query = url.indexOf('?')
  if (query >= 0 && query < url.length - 1) {
    return invalidRequest(
      shownName(url.slice(query + 1).split(/[=&]/, 1)[0]),
      'must be sent in the body, not in the URL',
    )
  }
  const [coding = 'identity', ...codings] = headersDistinct['content-encoding'] ?? []
  if (codings.length > 0 || !/^(?:identity)?$/i.test(coding.trim())) {
    return invalidRequest('content-encoding', 'must be absent: compression is not supported')
  }
  const [contentType = '', ...others] = headersDistinct['content-type'] ?? []
  const [type = '', ...parameters] = contentType.split(';')
  const isUtf8 = parameters.length === 0 || (parameters.length === 1 && CHARSET.test(parameters[0] ?? ''))
  if (others.length > 0 || !isUtf8) return WRONG_TYPE
  switch (type.trim().toLowerCase()) {
    case FORM_TYPE:
      return success('form')
    case 'application/json':
      return mayBeJson ? success('json') : WRONG_TYPE
    default:
      return WRONG_TYPE
  }
}

const WRONG_TYPE: FailedResult = Object.freeze(invalidRequest('content-type', `must be ${FORM_TYPE}, in UTF-8`))

/** Reads the parameters of a body. */
export function readForm(body: Uint8Array, format: BodyFormat): Result<Form> {
  return format === 'form' ? parseForm(body) : exchangeInJson(body)
}

/**
 * A token exchange in JSON instead of a form, as the STS credentials of gRPC for Go send it (its package `credentials/sts`).
 * No other grant may use JSON.
 */
function exchangeInJson(body: Uint8Array): Result<Form> {
  const members = jsonObject(body)
  if (members?.['grant_type'] !== GRANT_TYPE_NAMES.token_exchange) return WRONG_TYPE
  const values = new Map<string, readonly string[]>()
  for (const [name, value] of Object.entries(members)) {
    const each: unknown[] = Array.isArray(value) && REPEATABLE.has(name) ? value : [value]
    const texts = each.filter((item) => typeof item === 'string')
    if (texts.length < each.length) return invalidRequest(shownName(name), 'must be a string')
    const given = texts.filter((text) => text !== '')
    if (given.length > 0) values.set(name, given)
  }
  return success(new Form(values))
}

/** RFC 9110 §12.5.1: whether the caller accepts a media type by name with a weight other than 0. */
export function accepts({ headers }: IncomingMessage, mediaType: string): boolean {
  return (headers.accept ?? '').split(',').some((each) => {
    const [type = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase())
    return type === mediaType && !parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter))
  })
}
