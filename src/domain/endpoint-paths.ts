/** The paths of the HTTP port that the server's metadata names (RFC 8414 §2). */
export const KEY_SET_PATH = '/.well-known/jwks.json'
export const TOKEN_PATH = '/oauth2/token'
export const INTROSPECTION_PATH = '/oauth2/introspect'
export const REVOCATION_PATH = '/oauth2/revoke'
export const DEVICE_AUTHORIZATION_PATH = '/oauth2/device_authorization'
