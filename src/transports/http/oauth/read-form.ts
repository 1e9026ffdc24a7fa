import type { IncomingMessage } from 'node:http'
import { GrantType } from '../../../domain/grant-type-names.ts'
import { jsonObject } from '../../../json-object.ts'
import { type FailedResult, invalidRequest, type Result, success } from '../../../results.ts'
import { Form, parseForm, REPEATABLE } from './form.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'
/** RFC 9110 §8.3.1: what may stand behind a media type; `charset` alone means something here. */
const CHARSET = /^[ \t]*charset=(?:utf-8|"utf-8")[ \t]*$/i

/** How a body is to be read. */
export type BodyFormat = 'form' | 'json'

/**
 * How the body of a request is to be read, by its headers alone; refuses what is
 * no form in UTF-8, and parameters in the URL, where logs and caches keep them (RFC
 * 6749 §2.3.1). JSON passes where the endpoint may be asked in it.
 */
export function bodyFormatOf(request: IncomingMessage, mayBeJson: boolean): Result<BodyFormat> {
  const { url = '', headersDistinct } = request
  const query = url.indexOf('?')
  if (query >= 0 && query < url.length - 1) {
    return invalidRequest('', 'has parameters in the URL; send them in the body')
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
 * A token exchange as the STS credentials of gRPC for Go send it, in JSON instead of
 * a form (its package `credentials/sts`). No other grant may come like this.
 */
function exchangeInJson(body: Uint8Array): Result<Form> {
  const members = jsonObject(body)
  if (members?.['grant_type'] !== GrantType.TOKEN_EXCHANGE) return WRONG_TYPE
  const values = new Map<string, readonly string[]>()
  for (const [name, value] of Object.entries(members)) {
    const each: unknown[] = Array.isArray(value) && REPEATABLE.has(name) ? value : [value]
    const texts = each.filter((item) => typeof item === 'string')
    if (texts.length < each.length) return invalidRequest('', 'has a member that is not a string')
    const given = texts.filter((text) => text !== '')
    if (given.length > 0) values.set(name, given)
  }
  return success(new Form(values))
}

/** RFC 9110 §12.5.1: whether a media type is named among those that are wanted, and not with the weight 0. */
export function accepts({ headers }: IncomingMessage, mediaType: string): boolean {
  return (headers.accept ?? '').split(',').some((each) => {
    const [type = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase())
    return type === mediaType && !parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter))
  })
}
