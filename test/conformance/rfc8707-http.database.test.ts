import { expect, it } from 'vitest'
import { onEveryBackend } from '../setup/backends.ts'
import { basic, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { grantsOn, REDIRECT_URI } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const ORDERS = 'https://orders.example/api'
const STOCK = 'https://stock.example'

const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)
  async function client(audiences: string[] = [ORDERS, STOCK]) {
    const { clientId, clientSecret } = await server.registerClient({ scopes: ['orders.read'], audiences })
    return basic(clientId, clientSecret)
  }
  const mint = ['grant_type', GRANT_TYPES.clientCredentials] as const

  it('§2 restricts the token to the named resources', async () => {
    const both = await forms.token([mint, ['resource', ORDERS], ['resource', STOCK]], await client())
    expect((await grants.claimsOf(String(both.body['access_token'])))?.audiences).toEqual([ORDERS, STOCK])
    const one = await forms.token([mint, ['resource', STOCK]], await client())
    expect((await grants.claimsOf(String(one.body['access_token'])))?.audiences).toEqual([STOCK])
  })

  it('§2 invalid_target for a resource that is not an absolute URI without a fragment, even if it is registered', async () => {
    const header = await client(['orders', ORDERS])
    for (const resource of ['orders', `${ORDERS}#part`, '/api', '//orders.example', 'https://']) {
      const { status, body } = await forms.token([mint, ['resource', resource]], header)
      expect([status, body['error']]).toEqual([400, 'invalid_target'])
    }
    expect((await forms.token([mint, ['audience', 'orders']], header)).status).toBe(200)
  })

  it('§2 invalid_target for an unknown resource', async () => {
    const { status, body } = await forms.token([mint, ['resource', 'https://else.example']], await client())
    expect([status, body['error']]).toEqual([400, 'invalid_target'])
    expect(body['error_description']).toContain('https://else.example')
  })

  it('§2.2 invalid_target for a resource beyond the consent, after which the code can still be redeemed', async () => {
    const web = await grants.webClient({ audiences: [ORDERS] })
    const { code, verifier = '' } = await grants.createCode(web, { audiences: [ORDERS] })
    const redeem = { grant_type: GRANT_TYPES.code, code, code_verifier: verifier, redirect_uri: REDIRECT_URI }
    const header = basic(web.clientId, web.clientSecret)
    const { status, body } = await forms.token({ ...redeem, resource: STOCK }, header)
    expect([status, body['error']]).toEqual([400, 'invalid_target'])
    expect((await forms.token(redeem, header)).status).toBe(200)
  })

  it('§2.2 narrows the access token of a code and of each refresh; the refresh token keeps the grant', async () => {
    const web = await grants.webClient({ audiences: [ORDERS, STOCK] })
    const header = basic(web.clientId, web.clientSecret)
    const audiencesOf = async (accessToken: unknown) => (await grants.claimsOf(String(accessToken)))?.audiences
    const { code, verifier = '' } = await grants.createCode(web, { audiences: [ORDERS, STOCK] })
    const redeem = { grant_type: GRANT_TYPES.code, code, code_verifier: verifier, redirect_uri: REDIRECT_URI }
    const redeemed = await forms.token({ ...redeem, resource: ORDERS }, header)
    expect(await audiencesOf(redeemed.body['access_token'])).toEqual([ORDERS])
    const refresh = (token: unknown, more: object = {}) =>
      forms.token({ grant_type: GRANT_TYPES.refresh, refresh_token: String(token), ...more }, header)
    const beyond = await refresh(redeemed.body['refresh_token'], { resource: 'https://else.example' })
    expect([beyond.status, beyond.body['error']]).toEqual([400, 'invalid_target'])
    const stock = await refresh(redeemed.body['refresh_token'], { audience: STOCK })
    expect(await audiencesOf(stock.body['access_token'])).toEqual([STOCK])
    const all = await refresh(stock.body['refresh_token'])
    expect(await audiencesOf(all.body['access_token'])).toEqual([ORDERS, STOCK])
  })

  it('§2.2 narrows the access token of a device code; the refresh token keeps the grant', async () => {
    const device = await grants.deviceClient({ audiences: [ORDERS, STOCK] })
    const started = await grants.startDevice(device, { audiences: [ORDERS, STOCK] })
    await grants.approveDevice(started)
    const poll = { grant_type: GRANT_TYPES.device, device_code: started.deviceCode, client_id: device.clientId }
    const beyond = await forms.token({ ...poll, resource: 'https://else.example' })
    expect([beyond.status, beyond.body['error']]).toEqual([400, 'invalid_target'])
    const { body } = await forms.token({ ...poll, resource: STOCK })
    expect((await grants.claimsOf(String(body['access_token'])))?.audiences).toEqual([STOCK])
    const refreshed = await grants.refresh(device, String(body['refresh_token']))
    expect(refreshed.audiences).toEqual([ORDERS, STOCK])
  })

  it('§2.2 invalid_target if the consent has no audience', async () => {
    const web = await grants.webClient({ audiences: [ORDERS] })
    const { refreshToken } = await grants.signIn(web)
    const header = basic(web.clientId, web.clientSecret)
    const fields = { grant_type: GRANT_TYPES.refresh, refresh_token: refreshToken, resource: ORDERS }
    const { status, body } = await forms.token(fields, header)
    expect([status, body['error']]).toEqual([400, 'invalid_target'])
  })
}

onEveryBackend('RFC 8707', suite, { variables: HTTP_PORT })
