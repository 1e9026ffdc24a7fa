/** RFC 8693 §3. */
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/** draft-ietf-oauth-transaction-tokens, Txn-Token Request. */
export const TRANSACTION_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:txn_token'
