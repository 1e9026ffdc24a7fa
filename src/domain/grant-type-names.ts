/** The accepted values of `grant_type` at the token endpoint. */
export const GrantType = Object.freeze({
  /** RFC 6749 §4.4.2. */
  CLIENT_CREDENTIALS: 'client_credentials',
  /** RFC 6749 §4.1.3. */
  AUTHORIZATION_CODE: 'authorization_code',
  /** RFC 6749 §6. */
  REFRESH_TOKEN: 'refresh_token',
  /** RFC 8628 §3.4. */
  DEVICE_CODE: 'urn:ietf:params:oauth:grant-type:device_code',
  /** RFC 8693 §2.1. */
  TOKEN_EXCHANGE: 'urn:ietf:params:oauth:grant-type:token-exchange',
  /** RFC 7523 §2.1. */
  JWT_BEARER: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
})
