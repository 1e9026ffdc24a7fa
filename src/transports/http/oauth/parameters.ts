import { fail, invalidRequest, mapResult, type Result, success } from '../../../results.ts'
import { type ClientAuthenticationInit, clientAuthenticationOf } from './client-authentication.ts'
import type { Form } from './form.ts'

/** The client as a field of the request, if the form names one. */
export function clientOf(form: Form): Result<{ readonly client?: ClientAuthenticationInit }> {
  return mapResult(clientAuthenticationOf(form), (client) => (client === undefined ? {} : { client }))
}

/** A required parameter (RFC 6749 §5.2). */
export function requiredText(form: Form, name: string): Result<string> {
  const value = form.text(name)
  return value === undefined ? invalidRequest(name, 'is missing') : success(value)
}

/** RFC 6749 §3.3: one space separates scopes. Other separators produce a malformed scope, which is refused as such. */
export function scopesOf(form: Form): string[] {
  return form.text('scope')?.split(' ') ?? []
}

/** The targets of the token: `audience` gives their names, `resource` their addresses (RFC 8693 §2.1). */
export function audiencesOf(form: Form): Result<string[]> {
  const resources = form.list('resource')
  const broken = resources.filter((resource) => !isResource(resource))
  if (broken.length > 0) return fail('oauth.invalid_target', { metadata: { rejected_audiences: broken.join(' ') } })
  return success([...new Set([...form.list('audience'), ...resources])])
}

/** RFC 8707 §2: an absolute URI without a fragment. */
function isResource(text: string): boolean {
  return URL.canParse(text) && !text.includes('#')
}
