import { webcrypto } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { suiteFolder } from '../../setup/certificates.ts'
import { pkcePair, REDIRECT_URI } from '../../setup/grants.ts'
import { trustedIssuers } from '../../setup/trusted-issuers.ts'
import { BILLING, type OAuthServer, startOAuthServer, WAREHOUSE } from './oauth-server.ts'
import { trustingFetch } from './trusting-fetch.ts'

const folder = suiteFolder()
let running: OAuthServer
let server: oauth.AuthorizationServer
let trusting: ReturnType<typeof trustingFetch>
beforeAll(async () => {
  running = await startOAuthServer(folder, await trustedIssuers(folder))
  trusting = trustingFetch({ ca: running.ca.cert })
  const issuer = new URL(running.issuer)
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', [oauth.customFetch]: trusting })
  server = await oauth.processDiscoveryResponse(issuer, found)
})
afterAll(() => running.stop())

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

const options = () => ({ [oauth.customFetch]: trusting })
const named = (clientId: string): oauth.Client => ({ client_id: clientId })
const secretOf = ({ clientSecret }: { readonly clientSecret: string }) => oauth.ClientSecretBasic(clientSecret)

async function mint(clientId: string, authentication: oauth.ClientAuth, parameters: Record<string, string> = {}) {
  const client = named(clientId)
  const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, parameters, options())
  return await oauth.processClientCredentialsResponse(server, client, response)
}

async function introspect(clientId: string, authentication: oauth.ClientAuth, token: string, signed = false) {
  const client: oauth.Client = { ...named(clientId), introspection_signed_response_alg: 'ES256' }
  const asked = { ...options(), requestJwtResponse: signed }
  const response = await oauth.introspectionRequest(server, client, authentication, token, asked)
  const copy = response.clone()
  const told = await oauth.processIntrospectionResponse(server, client, response)
  return { told, response, text: await copy.text() }
}

describe('oauth4webapi', () => {
  it('mints with the secret in Basic or the form, and with a key', async () => {
    const { orders } = running.clients
    for (const authentication of [secretOf(orders), oauth.ClientSecretPost(orders.clientSecret)]) {
      const minted = await mint('orders', authentication, { scope: 'orders.read', resource: WAREHOUSE })
      expect(minted).toMatchObject({ token_type: 'bearer', scope: 'orders.read' })
    }
    const jwk = running.robotKey.privateKey.export({ format: 'jwk' })
    const usage = { name: 'ECDSA', namedCurve: 'P-256' }
    const key = await webcrypto.subtle.importKey('jwk', jwk, usage, false, ['sign'])
    expect(await mint('robot', oauth.PrivateKeyJwt({ key, kid: running.robotKey.kid }))).toHaveProperty('access_token')
  })

  it('mints with a certificate', async () => {
    const { cert, key, thumbprint } = running.courierIdentity
    const client = named('courier')
    const shown = { [oauth.customFetch]: trustingFetch({ ca: running.ca.cert, cert, key }) }
    const response = await oauth.clientCredentialsGrantRequest(server, client, oauth.TlsClientAuth(), {}, shown)
    const { access_token } = await oauth.processClientCredentialsResponse(server, client, response)
    expect((await running.grants.claimsOf(access_token))?.confirmation?.x5tS256).toBe(thumbprint)
  })

  it('introspects, and verifies a signed response', async () => {
    const { orders } = running.clients
    const { access_token } = await mint('orders', secretOf(orders))
    const plain = await introspect('orders', secretOf(orders), access_token)
    expect(plain.told).toMatchObject({ active: true, client_id: 'orders', iss: running.issuer })
    const signed = await introspect('orders', secretOf(orders), access_token, true)
    expect(signed.told).toEqual(plain.told)
    await oauth.validateApplicationLevelSignature(server, signed.response, options())
    const response = await oauth.revocationRequest(server, named('orders'), secretOf(orders), access_token, options())
    await oauth.processRevocationResponse(response)
    const over = await introspect('orders', secretOf(orders), access_token, true)
    expect(over.told).toEqual({ active: false })
  })

  it('verifies a JWT access token of the audience, and refuses a signed introspection response as one', async () => {
    const { reports } = running.clients
    const { access_token } = await mint('reports', secretOf(reports), { audience: WAREHOUSE })
    const bearing = (token: string) => new Request(WAREHOUSE, { headers: { authorization: `Bearer ${token}` } })
    const claims = await oauth.validateJwtAccessToken(server, bearing(access_token), WAREHOUSE, options())
    expect(claims).toMatchObject({ client_id: 'reports', iss: running.issuer, scope: 'orders.read' })
    const { text: jwt } = await introspect('reports', secretOf(reports), access_token, true)
    await expect(oauth.validateJwtAccessToken(server, bearing(jwt), WAREHOUSE, options())).rejects.toThrow()
  })

  it('redeems a code with PKCE, and refreshes', async () => {
    const { shop } = running.clients
    const client = named('shop')
    const { verifier, challenge } = pkcePair()
    const { code } = await running.grants.createCode(shop, { codeChallenge: challenge })
    const redirected = new URL(`${REDIRECT_URI}?code=${code}&state=s`)
    const parameters = oauth.validateAuthResponse(server, client, redirected, 's')
    const redeem = () =>
      oauth.authorizationCodeGrantRequest(server, client, secretOf(shop), parameters, REDIRECT_URI, verifier, options())
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, await redeem())
    const refresh = tokens.refresh_token ?? ''
    const again = await oauth.refreshTokenGrantRequest(server, client, secretOf(shop), refresh, options())
    expect((await oauth.processRefreshTokenResponse(server, client, again)).refresh_token).not.toBe(refresh)
    await expect(oauth.processAuthorizationCodeResponse(server, client, await redeem())).rejects.toMatchObject({
      error: 'invalid_grant',
    })
  })

  it('starts a device authorization and redeems its code', async () => {
    const client = named('television')
    const started = await oauth.deviceAuthorizationRequest(server, client, oauth.None(), {}, options())
    const { device_code, user_code } = await oauth.processDeviceAuthorizationResponse(server, client, started)
    const poll = () => oauth.deviceCodeGrantRequest(server, client, oauth.None(), device_code, options())
    await expect(oauth.processDeviceCodeResponse(server, client, await poll())).rejects.toMatchObject({
      error: 'authorization_pending',
    })
    await running.grants.approveDevice({ userCode: user_code })
    expect(await oauth.processDeviceCodeResponse(server, client, await poll())).toHaveProperty('refresh_token')
  })

  it('exchanges a token, and an assertion', async () => {
    const { warehouse, orders } = running.clients
    const { access_token } = await mint('orders', secretOf(orders), { audience: WAREHOUSE })
    const generic = async (
      clientId: string,
      proof: oauth.ClientAuth,
      grant: string,
      fields: Record<string, string>,
    ) => {
      const client = named(clientId)
      const response = await oauth.genericTokenEndpointRequest(server, client, proof, grant, fields, options())
      return await oauth.processGenericTokenEndpointResponse(server, client, response)
    }
    const subject = { subject_token: access_token, subject_token_type: ACCESS_TOKEN, audience: BILLING }
    const exchanged = await generic('warehouse', secretOf(warehouse), EXCHANGE, subject)
    expect(exchanged).toMatchObject({ issued_token_type: ACCESS_TOKEN, scope: 'orders.read' })
    const vouched = await generic('orders', secretOf(orders), JWT_BEARER, { assertion: await running.assertion() })
    expect(vouched.scope).toBe('orders.read orders.write')
  })

  it('receives the error code of a refused form, and the challenge of a refused Basic authentication', async () => {
    await expect(mint('orders', oauth.ClientSecretPost('wrong'))).rejects.toMatchObject({
      error: 'invalid_client',
      status: 401,
    })
    await expect(mint('orders', oauth.ClientSecretBasic('wrong'))).rejects.toMatchObject({
      cause: [{ scheme: 'basic', parameters: { realm: 'qscope' } }],
    })
  })
})
