import type { GrantType } from './client.ts'

/** The `grant_type` of each grant at the token endpoint. */
export const GRANT_TYPE_NAMES = Object.freeze({
  /** RFC 6749 §4.4.2. */
  client_credentials: 'client_credentials',
  /** RFC 6749 §4.1.3. */
  authorization_code: 'authorization_code',
  /** RFC 6749 §6. */
  refresh_token: 'refresh_token',
  /** RFC 8628 §3.4. */
  device_code: 'urn:ietf:params:oauth:grant-type:device_code',
  /** RFC 8693 §2.1. */
  token_exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  /** RFC 7523 §2.1. */
  jwt_bearer: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
} as const satisfies Record<GrantType, string>)
