/** The one client of the peer; it is gone with the process. */
export const OIDC_CLIENT = Object.freeze({ id: 'bench', secret: 'a-secret-of-the-benchmark-0123456789' })

export const OIDC_AUTHORIZATION = `Basic ${Buffer.from(`${OIDC_CLIENT.id}:${OIDC_CLIENT.secret}`).toString('base64')}`
