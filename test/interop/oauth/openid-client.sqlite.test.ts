import { webcrypto } from 'node:crypto'
import * as client from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { suiteFolder } from '../../setup/certificates.ts'
import { pkcePair, REDIRECT_URI } from '../../setup/grants.ts'
import { trustedIssuers } from '../../setup/trusted-issuers.ts'
import { BILLING, type OAuthServer, startOAuthServer, WAREHOUSE } from './oauth-server.ts'
import { type Trust, trustingFetch } from './trusting-fetch.ts'

const folder = suiteFolder()
let running: OAuthServer
beforeAll(async () => {
  running = await startOAuthServer(folder, await trustedIssuers(folder))
})
afterAll(() => running.stop())

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** Discovers the server from its issuer, as an application would. */
async function discover(
  clientId: string,
  authentication: client.ClientAuth,
  trust: Partial<Trust> = {},
  algorithm: 'oauth2' | 'oidc' = 'oauth2',
) {
  return await client.discovery(new URL(running.issuer), clientId, undefined, authentication, {
    algorithm,
    [client.customFetch]: trustingFetch({ ca: running.ca.cert, ...trust }),
  })
}

const withSecret = ({ clientId, clientSecret }: { clientId: string; clientSecret: string }, post = false) =>
  discover(clientId, post ? client.ClientSecretPost(clientSecret) : client.ClientSecretBasic(clientSecret))

describe('openid-client', () => {
  it.each(['oauth2', 'oidc'] as const)('discovers the server with the algorithm %s', async (algorithm) => {
    const config = await discover('orders', client.None(), {}, algorithm)
    expect(config.serverMetadata()).toMatchObject({
      issuer: running.issuer,
      token_endpoint: `${running.issuer}/oauth2/token`,
    })
  })

  it.each([
    ['Basic', false],
    ['the form', true],
  ])('mints with the secret in %s, introspects and revokes', async (_where, post) => {
    const config = await withSecret(running.clients.orders, post)
    const minted = await client.clientCredentialsGrant(config, { scope: 'orders.read' })
    expect(minted).toMatchObject({ token_type: 'bearer', scope: 'orders.read' })
    const claims = await client.tokenIntrospection(config, minted.access_token, { token_type_hint: 'access_token' })
    expect(claims).toMatchObject({ active: true, client_id: 'orders', iss: running.issuer })
    await client.tokenRevocation(config, minted.access_token)
    expect(await client.tokenIntrospection(config, minted.access_token)).toEqual({ active: false })
  })

  it('mints with a key, and with a certificate that the token is bound to', async () => {
    const { robotKey, courierIdentity } = running
    const jwk = robotKey.privateKey.export({ format: 'jwk' })
    const usage = { name: 'ECDSA', namedCurve: 'P-256' }
    const key = await webcrypto.subtle.importKey('jwk', jwk, usage, false, ['sign'])
    const byKey = await discover('robot', client.PrivateKeyJwt({ key, kid: robotKey.kid }))
    expect((await client.clientCredentialsGrant(byKey)).scope).toBe('orders.read orders.write')

    const { cert, key: courierKey, thumbprint } = courierIdentity
    const byCertificate = await discover('courier', client.TlsClientAuth(), { cert, key: courierKey })
    const bound = await client.clientCredentialsGrant(byCertificate)
    const claims = await client.tokenIntrospection(byCertificate, bound.access_token)
    expect(claims.cnf).toEqual({ 'x5t#S256': thumbprint })
  })

  it('redeems a code with PKCE, and refreshes', async () => {
    const { shop } = running.clients
    const config = await withSecret(shop)
    const { verifier, challenge } = pkcePair()
    const { code } = await running.grants.createCode(shop, { codeChallenge: challenge })
    const redirected = new URL(`${REDIRECT_URI}?code=${code}&state=s1`)
    const checks = { pkceCodeVerifier: verifier, expectedState: 's1' }
    const tokens = await client.authorizationCodeGrant(config, redirected, checks)
    expect(tokens.refresh_token).toMatch(/^qrt_/)
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '', { scope: 'orders.read' })
    expect(refreshed).toMatchObject({
      scope: 'orders.read',
      refresh_token: expect.not.stringMatching(tokens.refresh_token ?? ''),
    })
    const again = client.authorizationCodeGrant(config, redirected, checks)
    await expect(again).rejects.toMatchObject({ error: 'invalid_grant', status: 400 })
  })

  it('polls a device authorization of a public client until the user has decided', async () => {
    const config = await discover('television', client.None())
    const started = await client.initiateDeviceAuthorization(config, { scope: 'orders.read' })
    const polling = client.pollDeviceAuthorizationGrant(config, started)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await running.grants.approveDevice({ userCode: started.user_code })
    expect(await polling).toMatchObject({ scope: 'orders.read', refresh_token: expect.stringMatching(/^qrt_/) })

    const refused = await client.initiateDeviceAuthorization(config, {})
    await running.grants.denyDevice({ userCode: refused.user_code })
    await expect(client.pollDeviceAuthorizationGrant(config, refused)).rejects.toMatchObject({ error: 'access_denied' })
  })

  it('exchanges a token, and an assertion', async () => {
    const orders = await withSecret(running.clients.orders)
    const { access_token } = await client.clientCredentialsGrant(orders, { resource: WAREHOUSE })
    const warehouse = await withSecret(running.clients.warehouse)
    const exchanged = await client.genericGrantRequest(warehouse, EXCHANGE, {
      subject_token: access_token,
      subject_token_type: ACCESS_TOKEN,
      audience: BILLING,
      scope: 'orders.read',
    })
    expect(exchanged).toMatchObject({ issued_token_type: ACCESS_TOKEN, scope: 'orders.read' })
    const claims = await client.tokenIntrospection(warehouse, exchanged.access_token)
    expect(claims).toMatchObject({ aud: BILLING, sub: 'orders', act: { sub: 'warehouse' } })
    const vouched = await client.genericGrantRequest(orders, JWT_BEARER, { assertion: await running.assertion() })
    expect(vouched.scope).toBe('orders.read orders.write')
  })

  it('receives the error code, the status and the description of a refusal', async () => {
    const config = await withSecret(running.clients.orders, true)
    await expect(client.clientCredentialsGrant(config, { scope: 'orders.burn' })).rejects.toMatchObject({
      error: 'invalid_scope',
      status: 400,
      error_description: expect.stringContaining('orders.burn'),
    })
    const wrong = await discover('orders', client.ClientSecretPost('wrong'))
    await expect(client.clientCredentialsGrant(wrong)).rejects.toMatchObject({ error: 'invalid_client', status: 401 })
    const basic = await discover('orders', client.ClientSecretBasic('wrong'))
    await expect(client.clientCredentialsGrant(basic)).rejects.toMatchObject({ status: 401 })
  })
})
