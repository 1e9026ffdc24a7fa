/** The only client of the peer. It is not stored. */
export const OIDC_CLIENT = Object.freeze({ id: 'bench', secret: 'a-secret-of-the-benchmark-0123456789' })

export const OIDC_AUTHORIZATION = `Basic ${Buffer.from(`${OIDC_CLIENT.id}:${OIDC_CLIENT.secret}`).toString('base64')}`
