import type { TestServer } from './server.ts'

/** The `Basic` credentials of a client (RFC 6749 §2.3.1). */
export function basic(clientId: string, secret: string): { readonly authorization: string } {
  const pair = [clientId, secret].map((part) => encodeURIComponent(part)).join(':')
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

/** Opens the HTTP port on a free port. */
export const HTTP_PORT = Object.freeze({ QSCOPE_HTTP_LISTEN: '127.0.0.1:0' })

export const GRANT_TYPES = Object.freeze({
  clientCredentials: 'client_credentials',
  code: 'authorization_code',
  refresh: 'refresh_token',
  device: 'urn:ietf:params:oauth:grant-type:device_code',
  exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  assertion: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
})

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** The fields of a form, its encoded text, or its bytes. */
export type Fields = Readonly<Record<string, string>> | readonly (readonly [string, string])[] | string | Uint8Array

export interface FormAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Empty if the answer is not a JSON object. */
  readonly body: Readonly<Record<string, unknown>>
}

export type Forms = ReturnType<typeof formsOn>

/** An OAuth client that uses only `fetch`. */
export function formsOn(server: Pick<TestServer, 'httpUrl'>) {
  async function post(
    path: string,
    fields: Fields,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<FormAnswer> {
    const body = typeof fields === 'string' || fields instanceof Uint8Array ? fields : encoded(fields)
    const response = await fetch(server.httpUrl + path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body,
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, body: objectIn(text) }
  }
  return {
    post,
    token: (fields: Fields, headers?: Readonly<Record<string, string>>) => post('/oauth2/token', fields, headers),
    introspect: (fields: Fields, headers?: Readonly<Record<string, string>>) =>
      post('/oauth2/introspect', fields, headers),
    revoke: (fields: Fields, headers?: Readonly<Record<string, string>>) => post('/oauth2/revoke', fields, headers),
    device: (fields: Fields, headers?: Readonly<Record<string, string>>) =>
      post('/oauth2/device_authorization', fields, headers),
  }
}

function encoded(fields: Exclude<Fields, string | Uint8Array>): URLSearchParams {
  const form = new URLSearchParams()
  for (const [name, value] of isList(fields) ? fields : Object.entries(fields)) form.append(name, value)
  return form
}

function isList(fields: Exclude<Fields, string | Uint8Array>): fields is readonly (readonly [string, string])[] {
  return Array.isArray(fields)
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
